// A lock that is never waited for without bound, and that a fork child can make anew.
#pragma once

#include "kernel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct spinlock {
  _Atomic int state;  // 0 free, 1 held, 2 poisoned: never to be had again
};

static inline bool
spinlock_try(struct spinlock *lock, uint64_t wait_ns)
{
  uint64_t begin = 0;

  for (;;) {
    int expected = 0;
    if (atomic_compare_exchange_strong(&lock->state, &expected, 1))
      return true;
    if (expected == 2)
      return false;
    uint64_t now = kernel_clock();
    if (!begin)
      begin = now;
    if (now - begin > wait_ns)
      return false;
    kernel_yield();
  }
}

static inline void
spinlock_release(struct spinlock *lock)
{
  atomic_store(&lock->state, 0);
}

// In a fork child, where nobody holds it. What need not be written costs no page.
static inline void
spinlock_renew(struct spinlock *lock)
{
  if (atomic_load(&lock->state) != 0)
    atomic_store(&lock->state, 0);
}

// In a fork child: if another thread held it, what it guards is half done.
static inline void
spinlock_poison(struct spinlock *lock)
{
  if (atomic_load(&lock->state) == 1)
    atomic_store(&lock->state, 2);
}
