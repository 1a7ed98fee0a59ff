// Frames from a copy of a stack; on Linux by libunwind. It never reads a live stack, so whatever a
// copy holds ends the unwind, not the process.
#pragma once

#include "modules.h"
#include "registers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
  uint64_t pc;    // of an outer frame: the return address
  uint64_t slot;  // where on the stack that return address stands; 0 for the first frame
};

struct stack_copy {
  const struct registers *registers;
  const unsigned char *bytes;
  uint64_t address;  // of bytes[0]
  size_t length;
};

// Loads libunwind, privately, at the first call; false where it cannot be had. Takes the dynamic
// loader's lock and allocates, so it is called where pthread_create() makes the first thread: that
// does both anyway, and a process with one thread never gets there.
bool unwind_load(void);

// One caller at a time: false if another one is not done after `wait_ns`. Also for symbol_find().
bool unwind_enter(uint64_t wait_ns);
void unwind_leave(void);
// Of unwind_leave(): gives back what a report took.
void unwind_end(void);
// In a fork child: if another thread was at it, libunwind's own locks may be held for ever, and
// this process unwinds no more.
void unwind_child(void);

// Forgets what was learnt of modules: some may have been unloaded since. Call before each report.
void unwind_begin(const struct modules *modules);

// Fills frames, innermost first, and returns their number. Between unwind_enter() and
// unwind_leave().
int unwind_stack(const struct stack_copy *stack, struct frame *frames, int most);

// The same for the copy that the calling thread made of its own stack in its last fork handler.
int unwind_own_stack(const struct stack_copy *stack, struct frame *frames, int most);
