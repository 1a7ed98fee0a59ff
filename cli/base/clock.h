// Nanoseconds of a clock, as clock_gettime(2) has it.
#pragma once

#include <time.h>

static inline long long
clock_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}
