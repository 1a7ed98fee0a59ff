#include "os/hot.h"
#include "os/spinlock.h"
#include "unwind.h"

static struct spinlock unwinding;

bool
unwind_enter(uint64_t wait_ns)
{
  return spinlock_try(&unwinding, wait_ns);
}

void
unwind_leave(void)
{
  unwind_end();
  spinlock_release(&unwinding);
}

IN_EACH_CHILD void
unwind_child(void)
{
  spinlock_poison(&unwinding);
}
