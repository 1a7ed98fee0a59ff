// System calls without libc: they touch no errno, no cancellation point and no lock, so they may be
// used while other threads are stopped, in a helper task without a TLS block, and between the fork
// handlers. A negative result is -errno.
#pragma once

#include <stdint.h>
#include <sys/syscall.h>

static inline long
raw_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define RAW_ARGUMENTS(number, a, b, c, d, e, f, ...)                                               \
  raw_syscall6((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW(...) RAW_ARGUMENTS(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
