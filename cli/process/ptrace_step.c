#include "ptrace_step.h"
#include "base/clock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

// A task that runs stops at once, as soon as a processor is free for it.
static const long long LIMIT_NS = 10000000000;

// A tracer is told of a stop by SIGCHLD too. Taking one that was meant for another child does no
// harm: the driver calls waitpid() at each turn.
static bool
await(struct tracer *tracer, int *status)
{
  sigset_t told;
  sigemptyset(&told);
  sigaddset(&told, SIGCHLD);
  for (;;) {
    pid_t pid = waitpid(tracer->pid, status, WNOHANG | __WALL);
    if (pid == tracer->pid)
      return true;
    long long left = tracer->deadline_ns - clock_ns(CLOCK_MONOTONIC);
    if (pid < 0 || left <= 0)
      return false;
    struct timespec wait = {left / 1000000000, left % 1000000000};
    sigtimedwait(&told, NULL, &wait);
  }
}

// Without a stop PTRACE_DETACH has nothing to act on; a stop that comes later is the loop's.
static bool
stops(struct tracer *tracer, int event)
{
  int status;
  tracer->stopped = await(tracer, &status) && WIFSTOPPED(status);
  if (!tracer->stopped)
    return false;
  // The stop of a group has an event too: its signal is delivered already.
  tracer->halted = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
  if (status >> 16 == event && (event || WSTOPSIG(status) == SIGTRAP))
    return true;
  if (status >> 16 == 0)
    tracer->signal = WSTOPSIG(status);
  return false;
}

bool
tracer_stop(struct tracer *tracer, pid_t pid)
{
  sigset_t told;
  long long now = clock_ns(CLOCK_MONOTONIC);
  *tracer = (struct tracer){.pid = pid, .begin_ns = now, .deadline_ns = now + LIMIT_NS};
  // An exec under way ends the steps, by a stop of its own.
  if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(uintptr_t)PTRACE_O_TRACEEXEC))
    return false;
  sigemptyset(&told);
  sigaddset(&told, SIGCHLD);
  sigprocmask(SIG_BLOCK, &told, &tracer->old_mask);
  if (!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) && stops(tracer, PTRACE_EVENT_STOP))
    return true;
  tracer_let_go(tracer);
  return false;
}

bool
tracer_step(struct tracer *tracer)
{
  if (tracer->halted || ptrace(PTRACE_SINGLESTEP, tracer->pid, NULL, NULL))
    return false;
  tracer->stepped = true;
  return stops(tracer, 0);
}

long long
tracer_age_ns(const struct tracer *tracer)
{
  return clock_ns(CLOCK_MONOTONIC) - tracer->begin_ns;
}

// The signal of a step that no stop has told us of yet: it would end the process once we have gone.
static bool
trap_pends(pid_t pid)
{
  struct __ptrace_peeksiginfo_args first = {.off = 0, .flags = 0, .nr = 8};
  siginfo_t infos[8];
  long count = ptrace(PTRACE_PEEKSIGINFO, pid, &first, infos);
  for (long i = 0; i < count; i++)
    if (infos[i].si_signo == SIGTRAP && infos[i].si_code > 0)
      return true;
  return false;
}

// A step that has not ended is interrupted: none may outlive us. A thread that never stopped was
// not stepped either, and is let go by our end, or when it stops (tracer_late_stop).
void
tracer_let_go(struct tracer *tracer)
{
  if (!tracer->stopped && tracer->stepped) {
    tracer->deadline_ns = clock_ns(CLOCK_MONOTONIC) + LIMIT_NS;
    if (!ptrace(PTRACE_INTERRUPT, tracer->pid, NULL, NULL))
      stops(tracer, 0);
  }
  while (tracer->stopped && trap_pends(tracer->pid)) {
    tracer->stopped = false;
    if (!ptrace(PTRACE_CONT, tracer->pid, NULL, NULL))
      stops(tracer, 0);
  }
  if (tracer->stopped)
    ptrace(PTRACE_DETACH, tracer->pid, NULL, (void *)(uintptr_t)tracer->signal);
  sigprocmask(SIG_SETMASK, &tracer->old_mask, NULL);
}

void
tracer_late_stop(pid_t pid, int status)
{
  int signal = status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0;
  ptrace(PTRACE_DETACH, pid, NULL, (void *)(uintptr_t)signal);
}
