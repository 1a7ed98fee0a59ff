#include "become_real.h"

#include "borrow.h"

bool
become_real_may(struct borrow *b, const ucontext_t *interrupted, bool timer)
{
  (void)b;
  (void)timer;
  const unsigned char *pc = (const unsigned char *)interrupted->uc_mcontext.gregs[REG_RIP];
  return pc[-2] == 0x0f && pc[-1] == 0x05;
}
