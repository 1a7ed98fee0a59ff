#include "tracer.h"
#include "clock.h"

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
  if (WSTOPSIG(status) == SIGTRAP && status >> 16 == event)
    return true;
  // The stop of a group has an event too: its signal is delivered already.
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
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
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
  if (ptrace(PTRACE_SINGLESTEP, tracer->pid, NULL, NULL))
    return false;
  return stops(tracer, 0);
}

long long
tracer_age_ns(const struct tracer *tracer)
{
  return clock_ns(CLOCK_MONOTONIC) - tracer->begin_ns;
}

void
tracer_let_go(struct tracer *tracer)
{
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
