// The Python frames of the threads of a CPython process, this one or another: read from its memory,
// with nothing of it called. Every pointer is read through a seam, every chain and every string has
// a limit, every object must have the type that it should have: what is not as it should be gives
// no frames and a note, never a wrong frame. No allocation, no locks, no libc that locks: any
// thread, any child; one caller at a time for one struct python.
#pragma once

#include "common/binary/page_cache.h"

#include <sys/types.h>

struct python;

// One reader of one process, whose memory is read as it is now. `memory`: PYTHON_MEMORY zeroed
// bytes, aligned to 16, of which only what is used need be there (a mapping); it stays the caller's
// and must outlive the frames. `pages`: PAGES_MEMORY bytes, which are needed only as long as frames
// are read.
enum { PYTHON_MEMORY = 4 << 20 };
struct python *python_open(void *memory, void *pages, const struct pages_source *source);

// Tells where a module is mapped: the address of its ELF header. The program first, since its
// copies of variables come before the library's own; then the likely ones, which saves a look at
// the others. At most 1,024 count.
void python_add_module(struct python *python, uint64_t start);

// Looks for the interpreter in the modules told. False where no module exports one.
bool python_look_up(struct python *python);

// The interpreter that exports no symbols is at this address: its variable _PyRuntime is the ELF
// section of this name.
#define PYTHON_SECTION ".PyRuntime"
void python_look_at(struct python *python, uint64_t runtime);

// After one of these: reads its list of threads, and all that follows, through this source. Where
// it cannot be read, python_note() tells why.
void python_read(struct python *python, const struct pages_source *source);

// "3.11" once python_read() has found an interpreter whose frames can be read; else "".
const char *python_version(const struct python *python);

// Why frames are missing, in words for a report; NULL for no reason.
const char *python_note(const struct python *python);

// Where in a thread's descriptor, which a pthread_t points to, libc has its tid; 0: not known.
uint32_t python_tid_offset(struct python *python);

// Whether the address lies in CPython's evaluation function: each call of it runs one group of the
// frames, see `entry`.
bool python_is_evaluation(const struct python *python, uint64_t pc);

struct python_frame {
  const char *file, *function;  // UTF-8, not escaped; of file names also bytes that are not
  int line;                     // 0: not known
  bool entry;                   // the outermost of one call of CPython's evaluation function
};

enum { PYTHON_NO_STATE = -1, PYTHON_UNREADABLE = -2 };

// The frames of the thread `tid`, innermost first, at most `most`; returns their number, with *cut
// set where there are more. PYTHON_NO_STATE: it is no thread of Python's. PYTHON_UNREADABLE: its
// frames cannot be read.
int python_frames(struct python *python, pid_t tid, struct python_frame *frames, int most,
                  bool *cut);

// threading.Thread.name of the thread that python_frames() was last asked for; NULL where it is not
// known. UTF-8, not escaped.
const char *python_thread_name(struct python *python);

// The threads that have a state in CPython's list, those that the fork left behind included where
// nobody has cleared it since; 0: it cannot be read.
int python_thread_count(const struct python *python);
// Whether one of them has this pthread_t.
bool python_has_thread(const struct python *python, uint64_t descriptor);

enum python_lock_type {
  PYTHON_NO_LOCK,
  PYTHON_LOCK,
  PYTHON_RLOCK,
  PYTHON_SIMPLE_QUEUE,
  PYTHON_LOCK_TYPES,
};

struct python_lock {
  enum python_lock_type type;
  uint64_t object;  // the Python object that has the lock
  uint64_t owner;   // the pthread_t that an RLock has recorded, or 0
};

// Whose lock, up to CPython 3.13 a semaphore, is at the address: it is looked for among words of
// the stack of a thread that waits for it.
struct python_lock python_lock_among(struct python *python, const uint64_t *words, size_t count,
                                     uint64_t lock);
// Whether a thread other than `tid` is in a `with` statement of the lock. True also where `tid` is
// none of Python's. `stack`: words of that thread's stack.
bool python_others_have(struct python *python, pid_t tid, uint64_t object, const uint64_t *stack,
                        size_t count);
