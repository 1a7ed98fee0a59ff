// What the files of the reader share.
#pragma once

#include "common/binary/elf_dynamic_symbols.h"
#include "common/binary/eh_frame_table.h"
#include "reader.h"
#include "layout.h"

enum {
  MODULES = 1024,
  HASHED = 4096,  // a power of 2, more than CODES
  INTERPRETERS = 64,
  STATES = 16384,
  CODES = 2048,  // code objects kept
  MOST_TABLE = 512 * 1024,
  TEXT_BYTES = 1 << 20,
  LINES_KNOWN = 4,
};

struct state {
  uint64_t frame;       // the innermost, or 0
  uint64_t descriptor;  // libc's, of the thread: a pthread_t
  pid_t native_tid;     // 0: the version keeps none
  pid_t tid;            // as libc has it, 0: not known; see read_tids()
};

struct module {
  uint64_t start;
  enum { UNOPENED, OPEN, NOT_ELF } state;
  struct dynamic_symbols symbols;
};

struct code {
  uint64_t address;  // 0: empty
  const char *file, *function;
  int first_line;
  uint64_t table;  // of lines
  size_t table_length;
  struct {
    int at, line;
  } known[LINES_KNOWN];  // lines looked up, by their instruction
};

enum python_type {
  PYTHON_CODE,
  PYTHON_STRING,
  PYTHON_BYTES,
  PYTHON_DICT,
  PYTHON_FRAME,
  PYTHON_TYPES,
};

struct python {
  struct pages pages;
  struct python_layout layout;
  char version[8];
  const char *note;
  uint64_t runtime;
  bool exports_nothing;
  uint64_t types[PYTHON_TYPES];  // 0: not known yet
  struct code_range evaluation;  // CPython's evaluation function
  struct code_range split;       // and the rest of it, where it lies apart
  bool tids_read;
  bool tids_hold;      // CPython's own are right
  size_t frame_bytes;  // of a frame, that are looked at
  int interpreters;
  int latest_state;            // found last
  int expected;                // states after this one had their frames read ahead
  uint64_t outermost_address;  // of the frames told last; 0: not reached
  struct python_frame outermost;
  uint64_t thread_keys;  // of the attributes of a Thread, mostly the same for all
  int name_index;        // of its name among them
  int module_count, state_count, code_count;
  size_t text_used;
  struct module modules[MODULES];
  struct state states[STATES];
  uint16_t hashed[HASHED];  // number of a code object, 0: none
  struct code codes[CODES];
  char text[TEXT_BYTES];
  unsigned char scratch[MOST_TABLE];
};

_Static_assert(sizeof(struct python) <= PYTHON_MEMORY, "a reader must fit in its memory");

// types.c: looks for CPython's types among the symbols it exports.
void python_find_types(struct python *python);
// Whether it is an object of this very type.
bool python_has_type(struct python *python, uint64_t object, enum python_type type);
// The text of a string object; NULL where it is none.
const char *python_text(struct python *python, uint64_t object);
// The code object at the address, NULL where there is none, or what it refers to is
// not as it should be. Good until the next call.
struct code *python_code_at(struct python *python, uint64_t address);
// The line of the instruction at byte `at` of it, 0 where it is not known.
int python_code_line(struct python *python, struct code *code, int at);

// frames.c: false where frames have offsets that no frame has.
bool python_measure_frame(struct python *python);

// eval_function.c
void python_find_evaluation(struct python *python);

// reader.c: the address of an exported variable or function, of the first module that has it, or 0.
uint64_t python_symbol(struct python *python, const char *name);
uint64_t python_sized_symbol(struct python *python, const char *name, uint64_t *size,
                             const struct dynamic_symbols **module);
// Reads the tids that libc has of the threads, once.
void python_read_tids(struct python *python);
