// Where threads come from: pthread_create() is interposed and the creator's registers and the top
// of its stack are kept until the new thread ends. They are unwound only if a report needs them.
#pragma once

#include "registers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ORIGIN_STACK = 3776 };

struct origin {
  pid_t creator;
  void *start;  // the start routine
  struct registers registers;
  size_t stack_length;  // bytes of `stack`, from the creator's stack pointer upward
  unsigned char stack[ORIGIN_STACK];
};

// What pthread_create() is to do for the program, whose call returns to `caller`.
int thread_make(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                void *argument, const void *caller);

// The origin of the live thread `tid`, or NULL, and its name into 17 bytes, as thread_named() and
// thread_renamed() were told it: "" where it is not known. `*search` is 0 at first, and kept from
// one thread to the next: asked for in the order they were made they are found at once. Lock-free;
// the memory stays mapped, though the entry is reused after that thread has ended: copy what is
// needed while the thread is known to live.
const struct origin *thread_origin(pid_t tid, char *name, size_t *search);

// The same for a thread that has just been made, and does not run yet: by its thread pointer, where
// libc keeps what it is to run. For reports; NULL for 0.
const struct origin *thread_origin_at(uint64_t thread_pointer);

// Of the thread whose stack pointer is `sp`, and whose stack and thread block end below `limit`:
// where the frames of its start routine end. Those of this library and of libc's start of a thread
// follow, which keep what its creator had in registers inside of pthread_create(). 0: not known. In
// a fork child too, of the threads that were left behind.
uint64_t thread_outer_frames(uint64_t sp, uint64_t limit, uint64_t *thread_pointer);

// In a fork child, before thread_forget_others(): which thread of the parent had this pthread_t; 0:
// it was not made by pthread_create().
pid_t thread_left_behind(pthread_t thread);

// A thread was given a name. From pthread_setname_np().
void thread_named(pthread_t thread, const char *name);

// The calling thread has a new name. From prctl().
void thread_renamed(void);

// Where it is all kept, and its size.
const void *thread_memory(size_t *size);

// Threads made by pthread_create() in this process that have not begun to end.
int thread_live(void);

// In a fork child: the other threads are gone, and no longer found. Async-signal-safe.
void thread_forget_others(void);
