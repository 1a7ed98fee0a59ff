// A word in memory that parent and child share.
#pragma once

#include "raw_syscall.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static inline void
futex_set(_Atomic int *word, int value)
{
  atomic_store(word, value);
  RAW(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
}

// Waits until the word is not 0, at most `ns`; returns it.
static inline int
futex_wait_shared(_Atomic int *word, long ns)
{
  const struct timespec limit = {0, ns};

  if (atomic_load(word) == 0)
    RAW(SYS_futex, word, FUTEX_WAIT, 0, &limit, 0, 0);
  return atomic_load(word);
}
