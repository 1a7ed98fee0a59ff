// The registers of a suspended thread. One file for each architecture.
#pragma once

#include "registers.h"

#include <mach/mach.h>
#include <stdbool.h>
#include <stdint.h>

// False where the kernel does not give them.
bool mach_state(thread_act_t port, struct registers *r);

// A code address without the signature that pointer authentication puts into its upper bits.
uint64_t mach_strip(uint64_t address);

// Where a function that has no frame of its own, as a system call stub, returns to; *slot: where on
// the stack that stands, 0 in a register. `word` is the one at the stack pointer.
uint64_t mach_leaf_return(const struct registers *r, uint64_t word, uint64_t *slot);
