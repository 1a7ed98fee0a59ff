#include "stuck_task.h"
#include "process/procfs.h"
#include "base/message.h"

#include <stdlib.h>

enum { LATE = 10, MOST_PERCENT = 10 };

static const struct stuck_task *
find(const struct stuck_tasks *tasks, const struct task_wait *wait)
{
  for (size_t i = 0; i < tasks->count; i++)
    if (task_wait_alike(&tasks->list[i].wait, wait))
      return &tasks->list[i];
  return NULL;
}

// The number of switches is read where a wait is new, and when it is due: that costs more than all
// the rest.
static void
add(struct stuck_tasks *next, const struct stuck_tasks *before, pid_t pid,
    const struct task_wait *wait, long long now_ns)
{
  const struct stuck_task *known = find(before, wait);
  struct stuck_task task = known ? *known : (struct stuck_task){.wait = *wait, .since_ns = now_ns};
  if (known || procfs_sleeps(pid, wait->tid, &task.wait.switches))
    next->list[next->count++] = task;
}

static void
measure(struct stuck_task *task, pid_t pid, long long now_ns)
{
  unsigned long long ns = procfs_others_runnable_ns(pid, task->wait.tid);
  task->ran_ns = ns > task->others_ns ? ns - task->others_ns : 0;
  task->of_ns = now_ns - task->measured_ns;
  task->others_ns = ns;
  task->measured_ns = now_ns;
}

static bool
is_time(const struct stuck_task *task, pid_t pid, long long now_ns, long long after_ns)
{
  return task->looks == 0 ? now_ns - task->since_ns >= after_ns
                          : task->looks == 1 && task->wait.tid == pid &&
                                now_ns - task->measured_ns >= (LATE - 1) * after_ns;
}

// Whoever computes may well end the wait: then that is measured once more.
static bool
is_due(struct stuck_task *task, pid_t pid, long long now_ns, long long after_ns)
{
  unsigned long long switches = 0;
  if (!is_time(task, pid, now_ns, after_ns))
    return false;
  if (!procfs_sleeps(pid, task->wait.tid, &switches) || switches != task->wait.switches) {
    task->since_ns = now_ns;
    task->wait.switches = switches;
    task->looks = 0;
    return false;
  }
  measure(task, pid, now_ns);
  return task->looks == 0 || task->ran_ns <= (unsigned long long)task->of_ns / 100 * MOST_PERCENT;
}

void
stuck_tasks_note(struct stuck_tasks *tasks, pid_t pid, const struct wait_state *now,
                 long long now_ns)
{
  struct stuck_tasks next = {.list = xrealloc(NULL, now->count * sizeof *next.list + 1)};
  for (size_t i = 0; i < now->count; i++)
    add(&next, tasks, pid, &now->tasks[i], now_ns);
  stuck_tasks_free(tasks);
  *tasks = next;
}

struct stuck_task *
stuck_tasks_next(struct stuck_tasks *tasks, pid_t pid, long long now_ns, long long after_ns)
{
  for (size_t i = 0; i < tasks->count; i++)
    if (is_due(&tasks->list[i], pid, now_ns, after_ns)) {
      tasks->list[i].looks++;
      return &tasks->list[i];
    }
  return NULL;
}

void
stuck_task_looked_at(struct stuck_task *task, pid_t pid)
{
  procfs_sleeps(pid, task->wait.tid, &task->wait.switches);
}

void
stuck_tasks_free(struct stuck_tasks *tasks)
{
  free(tasks->list);
  *tasks = (struct stuck_tasks){0};
}
