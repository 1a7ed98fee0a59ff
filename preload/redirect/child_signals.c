#include "child_signals.h"

#include "promote_child.h"
#include "signal_state.h"
#include "vfork_state.h"
#include "interrupted_place.h"
#include "libc/real_calls.h"
#include "raw_syscall.h"

#include <errno.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

enum { KERNEL_SA_RESTORER = 0x04000000 };  // arch/x86/include/uapi/asm/signal.h

void borrow_restorer(void);

static bool
catchable(int number)
{
  return number != SIGKILL && number != SIGSTOP;
}

// By default it dumps core or stops the process (signal(7)). What only ends it ends the child, and
// its parent makes a substitute.
static bool
dumps_or_stops(int number)
{
  switch (number) {
  case SIGQUIT:
  case SIGILL:
  case SIGTRAP:
  case SIGABRT:
  case SIGBUS:
  case SIGFPE:
  case SIGSEGV:
  case SIGXCPU:
  case SIGXFSZ:
  case SIGSYS:
  case SIGTSTP:
  case SIGTTIN:
  case SIGTTOU: return true;
  default: return false;
  }
}

static bool
is_to_be_caught(const struct kernel_action *action, int number)
{
  if (action->handler == (void *)SIG_DFL)
    return dumps_or_stops(number);
  return action->handler != (void *)SIG_IGN;
}

static bool
is_fault(int number, const siginfo_t *info)
{
  return info->si_code > 0 && (number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
                               number == SIGILL || number == SIGTRAP || number == SIGSYS);
}

// Stays pending in the child until it can be taken in: rt_sigqueueinfo(2) lets a process send
// itself what it got.
static void
send_again(int number, siginfo_t *info)
{
  RAW(SYS_rt_sigqueueinfo, RAW(SYS_getpid), number, info);
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
  ucontext_t *interrupted = context;
  struct borrow *b = borrowed;
  int saved = errno;

  if (!b) {  // it has become a process of its own just now
    send_again(number, info);
    return;
  }
  bool fault = is_fault(number, info);
  bool own =
      info->si_code <= 0 && info->si_pid == (pid_t)RAW(SYS_getpid) && number != BORROW_SIGNAL;
  if (!fault && !own && !borrow_place_may_leave(b, interrupted, number == BORROW_SIGNAL)) {
    if (number != BORROW_SIGNAL) {
      b->deferred |= signal_bit(number);
      *(uint64_t *)(void *)&interrupted->uc_sigmask |= signal_bit(number);
      send_again(number, info);
    }
    errno = saved;
    return;
  }
  // libc's fork() needs locks that the code interrupted by a fault may hold.
  become_real(number == BORROW_SIGNAL ? "did not exec for 200 ms" : "got a signal",
              fault || own ? REAL_MEMORY_ONLY : REAL_WHOLE);
  // A fault comes again, with all that the program may want to know of it.
  if (!fault && number != BORROW_SIGNAL)
    send_again(number, info);
  errno = saved;
}

static void catch (struct borrow *b, int number)
{
  struct kernel_action ours = {
      .handler = (void *)on_signal,
      .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | KERNEL_SA_RESTORER,
      .restorer = (void *)borrow_restorer,
      .mask = ~0ul,
  };

  if (!catchable(number))
    return;
  if (number == BORROW_SIGNAL || is_to_be_caught(&b->actions[number], number)) {
    RAW(SYS_rt_sigaction, number, &ours, 0, sizeof ours.mask);
    b->caught |= signal_bit(number);
  } else if (b->caught & signal_bit(number)) {
    RAW(SYS_rt_sigaction, number, &b->actions[number], 0, sizeof ours.mask);
    b->caught &= ~signal_bit(number);
  } else if (b->actions[number].flags) {
    // CLONE_CLEAR_SIGHAND leaves what is ignored so, but without its flags.
    RAW(SYS_rt_sigaction, number, &b->actions[number], 0, sizeof ours.mask);
  }
}

void
signals_catch(struct borrow *b)
{
  b->caught = 0;
  b->deferred = 0;
  for (int i = 1; i < KERNEL_SIGNALS; i++)
    catch (b, i);
}

// libc's own function sees and sets what the program expects, then the signal is caught again.
static uint64_t
uncover(struct borrow *b, int number)
{
  uint64_t mask = signals_block();

  if (number > 0 && number < KERNEL_SIGNALS && (b->caught & signal_bit(number)))
    RAW(SYS_rt_sigaction, number, &b->actions[number], 0, sizeof b->mask);
  return mask;
}

static void
cover(struct borrow *b, int number, uint64_t mask)
{
  if (number > 0 && number < KERNEL_SIGNALS) {
    RAW(SYS_rt_sigaction, number, 0, &b->actions[number], sizeof b->mask);
    catch (b, number);
  }
  signals_restore(mask);
}

int
own_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
  struct borrow *b = borrowed;

  if (!b)
    return fh_real.sigaction(number, action, old);
  uint64_t mask = uncover(b, number);
  int result = fh_real.sigaction(number, action, old);
  cover(b, number, mask);
  return result;
}

sighandler_t
own_signal(int number, sighandler_t handler)
{
  struct borrow *b = borrowed;

  if (!b)
    return fh_real.signal(number, handler);
  uint64_t mask = uncover(b, number);
  sighandler_t old = fh_real.signal(number, handler);
  cover(b, number, mask);
  return old;
}
