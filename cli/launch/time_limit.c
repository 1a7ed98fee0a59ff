#include "time_limit.h"
#include "base/clock.h"
#include "base/message.h"

#include <signal.h>

static const long long KILL_AFTER_NS = 2000000000;
static const long long KILL_AGAIN_NS = 50000000;

void
time_limit_begin(struct time_limit *limit, double seconds)
{
  *limit = (struct time_limit){.seconds = seconds};
  if (seconds > 0)
    limit->next_ns = clock_ns(CLOCK_MONOTONIC) + (long long)(seconds * 1e9);
}

void
time_limit_reach(struct time_limit *limit)
{
  limit->told = true;
  if (!limit->reached_ns)
    limit->next_ns = clock_ns(CLOCK_MONOTONIC);
}

int
time_limit_signal(struct time_limit *limit)
{
  long long now = clock_ns(CLOCK_MONOTONIC);
  if (!limit->next_ns || now < limit->next_ns)
    return 0;
  if (limit->reached_ns) {
    limit->next_ns = now + KILL_AGAIN_NS;
    return SIGKILL;
  }
  limit->reached_ns = now;
  limit->next_ns = now + KILL_AFTER_NS;
  if (!limit->told)
    message("time limit of %g s reached: ended the program", limit->seconds);
  return SIGTERM;
}
