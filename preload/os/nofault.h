// Reads of this process's memory that may not be there, without a system call: for a task that
// shares the memory but has signal handlers of its own (clone(2): CLONE_VM without CLONE_SIGHAND),
// so that a fault there is nobody else's. Only for the helper task (helper_task.c).
#pragma once

#include <stddef.h>
#include <stdint.h>

// Once in the task, before the first copy. A fault anywhere else ends the task alone.
void nofault_start(void);

// Copies up to `length` bytes at `address`; returns how many could be read, from the start.
size_t nofault_copy(void *to, size_t length, uint64_t address);
