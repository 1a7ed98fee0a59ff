#include "signal_state.h"

#include "raw_syscall.h"
#include "vfork_state.h"

#include <signal.h>

uint64_t
signals_block(void)
{
  const uint64_t all = ~0ul;
  uint64_t mask = 0;

  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
  return mask;
}

void
signals_restore(uint64_t mask)
{
  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask);
}

void
signals_read(struct borrow *b)
{
  for (int i = 1; i < KERNEL_SIGNALS; i++)
    RAW(SYS_rt_sigaction, i, 0, &b->actions[i], sizeof b->mask);
}

void
signals_give_back(const struct borrow *b)
{
  for (int i = 1; i < KERNEL_SIGNALS; i++) {
    if (b->caught & signal_bit(i))
      RAW(SYS_rt_sigaction, i, &b->actions[i], 0, sizeof b->mask);
  }
}
