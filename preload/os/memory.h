// Reads of this process's own memory that may not be there: a wrong address gives a short count,
// never a fault. Async-signal-safe; usable with other threads stopped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Copies up to `length` bytes at `address`; returns how many could be read. Under a seccomp filter
// that does not allow it, none.
size_t memory_copy(void *to, size_t length, uint64_t address);

// Copies `length` bytes from each of `count` addresses to `to`, one after the other;
// says which of them were all there.
void memory_copy_many(const uint64_t *addresses, size_t length, int count, void *to, bool *there);

// The memory of a child, to read it by: a descriptor for descriptor_close(), or -errno where the
// system, or a seccomp filter, does not let us.
long memory_open(pid_t child);

// As memory_copy(), of that memory. No page is pinned: after a fork that would copy it.
size_t memory_copy_from(long memory, void *to, size_t length, uint64_t address);

// As memory_copy(), for the caller's own stack from `sp` upward, which may end in the midst: what
// follows is another thread's, and may be unmapped at any moment. The rest of sp's page comes in
// any case.
size_t memory_copy_own_stack(void *to, size_t length, uint64_t sp);

// The same as memory_copy() without pinning a page, which in a fork child would copy it. Only in a
// process with one thread: between the look at a page and the copy nobody may unmap it.
size_t memory_copy_alone(void *to, size_t length, uint64_t address);
