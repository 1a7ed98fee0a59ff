// Tells apart the places in Python code that share one native stack: from CPython 3.11 on calls
// between Python functions leave nothing there. Reads little, and calls nothing: before each fork.
#pragma once

#include "python.h"
#include "python_layout.h"

// What a reader has found out about the process.
struct python_process {
  struct python_layout layout;
  uint64_t runtime;
  size_t frame_bytes;
};

// False where `python` found no interpreter that can be read.
bool python_process_of(const struct python *python, struct python_process *process);

// Where the thread with this pthread_t is, as python_place_hash() has it, by what the reader has
// read already; and its thread state. 0: it has none, or its frames cannot be read.
uint64_t python_place_of(struct python *python, uint64_t descriptor, uint64_t *state);

// The thread state of the thread with this pthread_t, or 0.
uint64_t python_state_find(const struct python_process *process, const struct pages_source *source,
                           uint64_t descriptor);

// Of the thread's frames, where each is in its code; equal for equal stacks of the same code. 0:
// the state is not, or no more, that thread's, or its frames cannot be read.
uint64_t python_place_hash(const struct python_process *process, const struct pages_source *source,
                           uint64_t state, uint64_t descriptor);
