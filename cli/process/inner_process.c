#include "inner_process.h"
#include "base/clock.h"
#include "procfs.h"
#include "base/message.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// The start of a process is known to a hundredth of a second.
static const long long NEAR_NS = 20000000, FAR_NS = 40000000;

void
inner_processes_read(pid_t root, struct inner_processes *processes)
{
  pid_t *pids;
  if (processes->read)
    return;
  processes->read = true;
  size_t count = procfs_processes(&pids);
  for (size_t i = 0; i < count; i++) {
    struct inner_process inner = {.pid = pids[i]};
    inner.depth = procfs_numbers(inner.pid, inner.numbers, MOST_NAMESPACES, &inner.parent);
    if (inner.depth < 2 || !procfs_is_below(inner.pid, root))
      continue;
    processes->list = xrealloc(processes->list, (processes->count + 1) * sizeof *processes->list);
    processes->list[processes->count++] = inner;
  }
  free(pids);
}

void
inner_processes_free(struct inner_processes *processes)
{
  free(processes->list);
  *processes = (struct inner_processes){0};
}

bool
inner_process_runs(pid_t pid, const char *exe)
{
  char *is = procfs_exe(pid), *wanted = escaped(exe);
  bool same = !*wanted || !strcmp(is, wanted);
  free(is);
  free(wanted);
  return same;
}

// Where the parent is in a namespace as deep as its last number, the child's number there is in the
// same place.
static bool
fits(const struct inner_process *inner, const struct inner_wanted *wanted)
{
  pid_t numbers[MOST_NAMESPACES], of_parent;
  if (!wanted->parent)
    return inner->numbers[inner->depth - 1] == wanted->number;
  size_t depth = procfs_numbers(inner->parent, numbers, MOST_NAMESPACES, &of_parent);
  return depth > 1 && depth <= inner->depth && numbers[depth - 1] == wanted->parent &&
         inner->numbers[depth - 1] == wanted->number;
}

// Nanoseconds between when it began and when it should have.
static long long
distance(pid_t pid, const struct inner_wanted *wanted)
{
  char state;
  unsigned long long ticks;
  if (!procfs_stat(pid, &state, &ticks))
    return LLONG_MAX;
  long long since_boot = wanted->start_ns - clock_ns(CLOCK_REALTIME) + clock_ns(CLOCK_BOOTTIME);
  return llabs((long long)ticks * (1000000000 / sysconf(_SC_CLK_TCK)) - since_boot);
}

pid_t
inner_process_find(const struct inner_processes *processes, const struct inner_wanted *wanted,
                   size_t *several)
{
  pid_t found = 0;
  long long nearest = LLONG_MAX, next = LLONG_MAX;
  *several = 0;
  for (size_t i = 0; i < processes->count; i++) {
    const struct inner_process *inner = &processes->list[i];
    if (!fits(inner, wanted) || !inner_process_runs(inner->pid, wanted->exe))
      continue;
    long long far = distance(inner->pid, wanted);
    next = far < nearest ? nearest : far < next ? far : next;
    found = far < nearest ? inner->pid : found;
    nearest = far < nearest ? far : nearest;
    ++*several;
  }
  if (*several > 1 && nearest < NEAR_NS && next > FAR_NS)
    *several = 1;
  return *several == 1 ? found : 0;
}
