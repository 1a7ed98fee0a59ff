#include "parent_wait.h"

#include "vfork_state.h"
#include "fork/fork_context.h"
#include "os/futex.h"
#include "os/hot.h"
#include "raw_syscall.h"
#include "redirect_site.h"
#include "redirect_events.h"
#include "os/spinlock.h"
#include "exit_proxy.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
  PATIENCE_NS = 200000000,  // a child that has not exec'd by then is to become real
  LOCK_NS = 999999999,
};

// The kernel's wake-up has the key of memory that may be shared: not FUTEX_PRIVATE_FLAG.
static long
sleep_while(_Atomic int *word, int value, long ns)
{
  const struct timespec limit = {0, ns};

  return RAW(SYS_futex, word, FUTEX_WAIT, value, &limit, 0, 0);
}

// A child that execs just now must not get the signal: it would end what it has exec'd.
static void
remind(struct borrow *b, pid_t child)
{
  int open = GATE_OPEN;

  if (!atomic_compare_exchange_strong(&b->gate, &open, GATE_SIGNALS))
    return;
  if (atomic_load(&b->state) == BORROW_RUNS)
    RAW(SYS_tgkill, child, child, BORROW_SIGNAL);
  atomic_store(&b->gate, GATE_OPEN);
}

// The child stands in fork(), and the other threads are where they are: as at a real fork.
static void
capture(struct borrow *b)
{
  if (!b->captured)
    redirect_capture(b);
  b->captured = true;
  futex_set(&b->answer, 1);
}

static struct spinlock adopting;

// The process that the child has become is its child: when it ends, the kernel gives that to the
// nearest ancestor that is a subreaper. The child, without an exit signal, ends unseen.
static int
adopt(struct borrow *b, pid_t child)
{
  int subreaper = 0;

  bool alone = spinlock_try(&adopting, LOCK_NS);
  RAW(SYS_prctl, PR_GET_CHILD_SUBREAPER, &subreaper);
  if (!subreaper)
    RAW(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
  futex_set(&b->answer, 1);
  RAW(SYS_wait4, child, 0, __WCLONE, 0);
  if (!subreaper)
    RAW(SYS_prctl, PR_SET_CHILD_SUBREAPER, 0);
  if (alone)
    spinlock_release(&adopting);
  redirect_site_became_real(b->site, b->reason);
  return b->real;
}

// exec has set the exit signal to SIGCHLD (fs/exec.c): for a wait with __WCLONE there is no such
// child then.
static int
leave_to_program(struct borrow *b, pid_t child)
{
  int status;

  if (RAW(SYS_wait4, child, &status, __WCLONE, 0) != child)
    return child;
  b->ended = true;
  b->status = status;
  return substitute(child, status);
}

void
borrow_wait_for(struct borrow *b, pid_t child)
{
  for (;;) {
    int state = atomic_load(&b->state);
    switch (state) {
    case BORROW_GONE: b->result = leave_to_program(b, child); return;
    case BORROW_LEFT: b->result = adopt(b, child); return;
    case BORROW_ASKS:
      if (!b->captured)
        capture(b);
      sleep_while(&b->state, state, PATIENCE_NS);
      break;
    default:
      if (sleep_while(&b->state, state, PATIENCE_NS) == -ETIMEDOUT)
        remind(b, child);
    }
  }
}

IN_EACH_CHILD void
borrow_wait_forget(void)
{
  spinlock_renew(&adopting);
}
