#include "os/kernel.h"

#include "raw_syscall.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

long
kernel_open(const char *path, int flags)
{
  return RAW(SYS_openat, AT_FDCWD, path, flags, 0644);
}

long
kernel_read(long fd, void *to, size_t length)
{
  return RAW(SYS_read, fd, to, length);
}

void
kernel_close(long fd)
{
  RAW(SYS_close, fd);
}

uint64_t
kernel_clock(void)
{
  struct timespec t = {0, 0};

  RAW(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
kernel_yield(void)
{
  RAW(SYS_sched_yield);
}

const char *
kernel_error_name(int error)
{
  return strerrorname_np(error);
}
