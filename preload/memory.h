// Reads of this process's own memory that may not be there: a wrong address gives a short count,
// never a fault. Async-signal-safe; usable with other threads stopped.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Copies up to `length` bytes at `address`; returns how many could be read. Under a seccomp filter
// that does not allow it, none.
size_t memory_copy(void *to, size_t length, uint64_t address);

// A stack of the calling thread from `sp` upward. The bytes up to the end of sp's page are there in
// any case.
size_t memory_copy_stack(void *to, size_t length, uint64_t sp);
