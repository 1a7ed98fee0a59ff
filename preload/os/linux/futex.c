#include "os/futex.h"

#include "os/kernel.h"
#include "raw_syscall.h"

#include <linux/futex.h>
#include <time.h>

void
futex_set(_Atomic int *word, int value)
{
  atomic_store(word, value);
  RAW(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
}

// To sleep and be woken on an idle processor takes longer than most of what is waited for.
int
futex_spin(_Atomic int *word, uint64_t ns)
{
  uint64_t begin = 0;

  while (atomic_load(word) == 0) {
    uint64_t now = kernel_clock();
    if (!begin)
      begin = now;
    if (now - begin > ns)
      break;
    kernel_yield();
  }
  return atomic_load(word);
}

int
futex_wait_shared(_Atomic int *word, long ns)
{
  const struct timespec limit = {0, ns};

  if (futex_spin(word, FUTEX_SPIN_NS) == 0)
    RAW(SYS_futex, word, FUTEX_WAIT, 0, &limit, 0, 0);
  return atomic_load(word);
}
