// Reads of this process's own memory that may not be there: a wrong address gives a short count,
// never a fault.
#pragma once

#include "raw_syscall.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// Copies up to `length` bytes at `address`; returns how many could be read. The kernel copies page
// by page, so what lies before the first missing page arrives (mm/process_vm_access.c).
// Async-signal-safe; usable with other threads stopped.
static inline size_t
memory_copy(void *to, size_t length, uint64_t address)
{
  struct iovec local = {to, length};
  struct iovec remote = {(void *)address, length};
  long n = RAW(SYS_process_vm_readv, RAW(SYS_getpid), &local, 1, &remote, 1, 0);

  return n > 0 ? (size_t)n : 0;
}

// A stack from `sp` upward. The bytes of sp's own page are there in any case, so where the system
// call is refused they are copied without it.
static inline size_t
memory_copy_stack(void *to, size_t length, uint64_t sp)
{
  size_t n = memory_copy(to, length, sp);

  if (n > 0)
    return n;
  n = 4096 - (sp & 4095);
  if (n > length)
    n = length;
  __builtin_memcpy(to, (const void *)sp, n);
  return n;
}
