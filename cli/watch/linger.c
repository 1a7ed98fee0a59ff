#include "linger.h"
#include "process/procfs.h"
#include "base/message.h"
#include "process/process_tree.h"

#include <stdlib.h>

// A child forked at the very end needs some time to get stuck.
static const long long SETTLING_NS = 100000000;
static const long long INTERVAL_NS = 10000000;
static const long long MOST_EXCESS_NS = 1000000000;

void
linger_begin(struct linger *linger, long long now_ns, long long stuck_after_ns)
{
  linger->settled_ns = now_ns + SETTLING_NS;
  linger->until_ns = now_ns + stuck_after_ns + MOST_EXCESS_NS;
}

static bool
slept(const struct linger *linger, const struct sleeper *sleeper)
{
  for (size_t i = 0; i < linger->count; i++)
    if (linger->sleepers[i].pid == sleeper->pid)
      return linger->sleepers[i].switches == sleeper->switches;
  return false;
}

// Whether every process below us has slept since the last time.
static bool
all_sleep(struct linger *linger)
{
  pid_t *pids;
  size_t count = tree_list(&pids), used = 0;
  struct sleeper *sleepers = xrealloc(NULL, count * sizeof *sleepers + 1);
  bool all = true;
  for (size_t i = 0; i < count; i++) {
    struct sleeper *sleeper = &sleepers[used];
    sleeper->pid = pids[i];
    bool sleeps = procfs_sleeps(pids[i], pids[i], &sleeper->switches);
    all &= sleeps && slept(linger, sleeper);
    used += sleeps;
  }
  free(pids);
  free(linger->sleepers);
  linger->sleepers = sleepers;
  linger->count = used;
  return all;
}

bool
linger_on(struct linger *linger, struct watch *watch, long long now_ns)
{
  linger->next_ns = now_ns + INTERVAL_NS;
  if (now_ns >= linger->until_ns)
    return false;
  return watch_awaits(watch) || (now_ns < linger->settled_ns && !all_sleep(linger));
}

void
linger_free(struct linger *linger)
{
  free(linger->sleepers);
  linger->sleepers = NULL;
}
