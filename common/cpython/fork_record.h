// Where the Python threads of a process are at a fork, kept in the child: pieces of its memory, as
// they were. CPython drops there what it knows of the threads that are gone.
#pragma once

#include "position_hash.h"

enum { PYTHON_RECORD_BYTES = 256 * 1024 };

struct python_record {
  pid_t pid;      // of the child; 0: none was made
  uint32_t cut;   // 1: some threads are missing
  uint64_t used;  // bytes of pieces, each a struct python_piece
  unsigned char pieces[PYTHON_RECORD_BYTES];
};

struct python_piece {
  uint64_t address, length;  // the bytes follow, filled up to words
};

// The threads of a process that is about to change, as reader.h finds them.
struct python_recording {
  struct python_record *record;
  const struct python_process *process;
  const struct pages_source *source;
  uint64_t forking;  // pthread_t of the thread whose frames are left out
  // Of a version that keeps no tids: where a pthread_t has one, 0: not known, and which it had.
  uint32_t tid_offset;
  pid_t (*tid_of)(uint64_t descriptor);
};

// Fills `pieces`, `used` and `cut`. No locks, no allocation.
void python_record(const struct python_recording *recording);

// Puts the pieces over what has been read from `address`; whether there were any. The record may
// hold anything.
bool python_record_patch(const struct python_record *record, uint64_t address, void *bytes,
                         size_t length);
