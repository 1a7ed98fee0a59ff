// Tells when a function returns: its return address is replaced by that of a stub, which calls the
// handler and goes on where the function would have returned to. The stub has unwind tables, so
// backtraces and exceptions pass as if it were not there. For a process with one thread, one
// function at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// `slot` holds the return address. The handler runs once, when the function returns; not when an
// exception or longjmp() leaves it. False where a shadow stack would not let it return.
bool return_trap_set(uint64_t *slot, void (*handler)(void));

// Whether the function has neither returned nor was left: its slot, above the stack pointer of the
// caller, holds the stub's address still.
bool return_trap_waits(void);

// The slot gets its return address back, if it still waits.
void return_trap_remove(void);
