#include "promote_child.h"

#include "signal_state.h"
#include "vfork_state.h"
#include "os/descriptor.h"
#include "os/futex.h"
#include "fork/fork_capture.h"
#include "libc/real_calls.h"
#include "libc/glibc/thread_layout.h"
#include "raw_syscall.h"
#include "attributes/terminal_session.h"

#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/time.h>

enum { LOOKS = 2000, LOOK_NS = 50000, ANSWER_NS = 20000000 };

_Noreturn void borrow_leave(struct borrow *b);
_Noreturn void borrow_left(struct borrow *b);
uint64_t borrow_returned(void);

// What a fork child does not inherit, though the program expects it to be as the child has set it.
struct kept {
  struct itimerval timers[3];
  uint64_t pending;
  int death_signal;
  struct terminal_session session;
};

static void
keep(struct kept *kept)
{
  for (int i = 0; i < 3; i++)
    RAW(SYS_getitimer, i, &kept->timers[i]);
  RAW(SYS_rt_sigpending, &kept->pending, sizeof kept->pending);
  RAW(SYS_prctl, PR_GET_PDEATHSIG, &kept->death_signal);
  terminal_session_read(&kept->session);
}

static void
give_back(const struct kept *kept)
{
  for (int i = 0; i < 3; i++) {
    if (kept->timers[i].it_value.tv_sec || kept->timers[i].it_value.tv_usec)
      RAW(SYS_setitimer, i, &kept->timers[i], 0);
  }
  if (kept->death_signal)
    RAW(SYS_prctl, PR_SET_PDEATHSIG, kept->death_signal);
  for (int i = 1; i < KERNEL_SIGNALS; i++) {
    if (i != BORROW_SIGNAL && (kept->pending & 1ul << (i - 1)))
      RAW(SYS_kill, RAW(SYS_getpid), i);
  }
}

static void
pause_ns(long ns)
{
  const struct timespec time = {0, ns};

  RAW(SYS_nanosleep, &time, 0);
}

// The thread block is known to the kernel for the parent's thread only (kernel/rseq.c leaves it out
// where memory is shared); the handlers, the alternate stack and the cancellation state are ours.
static void
own_thread(const struct borrow *b)
{
  libc_layout_register_rseq();
  RAW(SYS_sigaltstack, &b->alternate, 0);
  signals_give_back(b);
  pthread_setcancelstate(b->cancel_state, NULL);
}

// In the process of its own. The borrowed child ends when we lead a session or group of our own, if
// it did; then our parent is its parent.
static void
settle(const struct borrow *b, const struct kept *kept)
{
  own_thread(b);
  terminal_session_lead(&kept->session);
  while ((pid_t)RAW(SYS_getppid) == b->child)
    pause_ns(LOOK_NS);
  terminal_session_take(&kept->session);
  give_back(kept);
}

// The parent takes the fork for a report. False: it has gone, and all its memory is the child's.
static bool
ask(struct borrow *b)
{
  futex_set(&b->state, BORROW_ASKS);
  do {
    if (!borrow_parent_waits(b))
      return false;
  } while (futex_wait_shared(&b->answer, ANSWER_NS) == 0);
  atomic_store(&b->answer, 0);
  return true;
}

static void
remove_trap(struct borrow *b)
{
  if (b->trap)
    *(uint64_t *)b->trap = b->trapped;
  b->trap = 0;
}

void
become_real(const char *reason, enum real_how how)
{
  struct borrow *b = borrowed;
  struct kept kept = {.pending = 0};
  int saved = errno;

  if (!b)
    return;
  uint64_t mask = signals_block();
  snprintf(b->reason, sizeof b->reason, "%s", reason);
  remove_trap(b);
  borrowed = NULL;  // fork handlers may call what is watched
  if (ask(b)) {
    keep(&kept);
    pid_t real = how == REAL_WHOLE ? fh_real.fork() : fh_real._Fork();
    if (real != 0) {
      b->real = real > 0 ? real : -errno;
      for (int i = 0; real > 0 && i < LOOKS && !terminal_session_led(&kept.session, real); i++)
        pause_ns(LOOK_NS);
      terminal_session_drop(&kept.session);
      borrow_leave(b);
    }
    if (how == REAL_MEMORY_ONLY)
      instant_child();
    settle(b, &kept);
  } else {
    own_thread(b);
  }
  descriptor_unlisted = false;
  const uint64_t own = 1ul << (BORROW_SIGNAL - 1);
  signals_restore(((mask & ~own) | (b->mask & own)) & ~b->deferred);
  errno = saved;
}

// The caller's stack is given back.
_Noreturn void
borrow_left(struct borrow *b)
{
  futex_set(&b->state, BORROW_LEFT);
  while (futex_wait_shared(&b->answer, ANSWER_NS) == 0 && borrow_parent_waits(b))
    ;
  for (;;)
    RAW(SYS_exit_group, 0);
}

uint64_t
borrow_returned(void)
{
  uint64_t address = borrowed->trapped;

  borrowed->trap = 0;  // the stack pointer is above it
  become_real("returned from the function that called fork()", REAL_WHOLE);
  return address;
}
