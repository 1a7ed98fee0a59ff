// Time and signals.
#include "libsystem_parts.h"

#include <signal.h>
#include <time.h>

static int
clock_gettime_(int clock, struct timespec *t)
{
  return clock_gettime(clock == 6 ? CLOCK_MONOTONIC : CLOCK_REALTIME, t);
}

static uint64_t
clock_gettime_nsec_np_(int clock)
{
  struct timespec t;

  clock_gettime_(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
nanosleep_(const struct timespec *wanted, struct timespec *left)
{
  return (int)libsystem_result(nanosleep(wanted, left));
}

static int
kill_(pid_t pid, int number)
{
  return (int)libsystem_result(kill(pid, number));
}

// A signal set is a word; the signals that are translated have the same number.
static void
to_linux_set(uint32_t from, sigset_t *to)
{
  sigemptyset(to);
  for (int i = 1; i < 32; i++) {
    if (from >> (i - 1) & 1)
      sigaddset(to, i);
  }
}

static uint32_t
to_darwin_set(const sigset_t *from)
{
  uint32_t set = 0;

  for (int i = 1; i < 32; i++)
    set |= sigismember(from, i) == 1 ? 1u << (i - 1) : 0;
  return set;
}

static int
pthread_sigmask_(int how, const uint32_t *set, uint32_t *old)
{
  sigset_t wanted, before;

  to_linux_set(set ? *set : 0, &wanted);
  int error = pthread_sigmask(how - 1, set ? &wanted : NULL, &before);  // 1 is SIG_BLOCK there
  if (old)
    *old = to_darwin_set(&before);
  return error;
}

static int
sigpending_(uint32_t *set)
{
  sigset_t pending;

  sigpending(&pending);
  *set = to_darwin_set(&pending);
  return 0;
}

static int
sigwait_(const uint32_t *set, int *number)
{
  sigset_t wanted;

  to_linux_set(*set, &wanted);
  return sigwait(&wanted, number);
}

const struct libsystem_entry libsystem_signals[] = {
    ENTRY("_clock_gettime", clock_gettime_),
    ENTRY("_clock_gettime_nsec_np", clock_gettime_nsec_np_),
    ENTRY("_kill", kill_),
    ENTRY("_nanosleep", nanosleep_),
    ENTRY("_pthread_sigmask", pthread_sigmask_),
    ENTRY("_sigpending", sigpending_),
    ENTRY("_sigwait", sigwait_),
    {NULL, NULL},
};
