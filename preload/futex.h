// A word in memory that parent and child share.
#pragma once

#include "raw_syscall.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { FUTEX_SPIN_NS = 300000 };

static inline void
futex_set(_Atomic int *word, int value)
{
  atomic_store(word, value);
  RAW(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
}

// Yields the processor until the word is not 0, for at most `ns`: to sleep and be woken on an idle
// processor takes longer than most of what is waited for.
static inline int
futex_spin(_Atomic int *word, uint64_t ns)
{
  struct timespec t;
  uint64_t begin = 0;

  while (atomic_load(word) == 0) {
    RAW(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    if (!begin)
      begin = now;
    if (now - begin > ns)
      break;
    RAW(SYS_sched_yield);
  }
  return atomic_load(word);
}

// Waits until the word is not 0, at most `ns`; returns it.
static inline int
futex_wait_shared(_Atomic int *word, long ns)
{
  const struct timespec limit = {0, ns};

  if (futex_spin(word, FUTEX_SPIN_NS) == 0)
    RAW(SYS_futex, word, FUTEX_WAIT, 0, &limit, 0, 0);
  return atomic_load(word);
}
