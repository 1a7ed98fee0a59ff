// Tells apart the places in Python code that share one native stack: from CPython 3.11 on calls
// between Python functions leave nothing there. Reads little, and calls nothing: before each fork.
#pragma once

#include "reader.h"
#include "layout.h"

// What a reader has found out about the process.
struct python_process {
  struct python_layout layout;
  uint64_t runtime;
  size_t frame_bytes;
};

// False where `python` found no interpreter that can be read.
bool python_process_of(const struct python *python, struct python_process *process);

// What was found of a thread, to find it sooner when it is looked for again: its state, 0 where it
// has none, and its frames, which mostly are where they were.
enum { PYTHON_TRAIL = 64 };
struct python_trail {
  uint64_t state;
  int count;
  uint64_t frames[PYTHON_TRAIL];
};

// Of the frames of the thread with this pthread_t, where each is in its code; equal for equal
// stacks of the same code. 0: it has no frames, or they cannot be read.
uint64_t python_place_hash(const struct python_process *process, const struct pages_source *source,
                           uint64_t descriptor, struct python_trail *trail);

// The same, by what the reader has read already.
uint64_t python_place_of(struct python *python, uint64_t descriptor, struct python_trail *trail);
