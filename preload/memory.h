// Reads of this process's own memory that may not be there: a wrong address gives a short count,
// never a fault. Async-signal-safe; usable with other threads stopped.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Copies up to `length` bytes at `address`; returns how many could be read. Under a seccomp filter
// that does not allow it, none.
size_t memory_copy(void *to, size_t length, uint64_t address);

// The same, faster, for memory that no other thread unmaps meanwhile: the caller's own stack, or
// any in a process with one thread.
size_t memory_copy_private(void *to, size_t length, uint64_t address);

// Private memory that costs only what is touched of it, or NULL. Free with munmap().
void *memory_map(size_t size);
