// In free-threaded CPython each thread may run a copy of a function's instructions (from 3.14 on:
// InternalDocs/frames.md and Objects/codeobject.c, "thread-local bytecode").
#pragma once

#include "layout.h"

#include <stdint.h>

// Where the instructions are that a frame of the code object at `code` runs, whose frame_copy is
// `number`; 0: there is no such copy. `read`: returns the word at an address, 0 where it cannot be
// read. A layout without copies is one whose code has its instructions in itself.
uint64_t python_copy(const struct python_layout *layout, uint64_t code, int32_t number,
                     uint64_t (*read)(void *context, uint64_t address), void *context);
