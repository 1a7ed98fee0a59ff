#include "thread_count.h"

#include "os/task.h"
#include "thread_table.h"

#include <stdbool.h>
#include <unistd.h>

struct tally {
  pid_t pid;
  int alive;
};

static void
count_alive(pid_t tid, void *argument)
{
  struct tally *tally = argument;

  if (task_alive(tally->pid, tid))
    tally->alive++;
}

int
census_count(void)
{
  if (task_single())
    return 1;

  struct tally tally = {.pid = getpid()};
  long shown = task_can_list() ? task_count(tally.pid) : -1;
  if (shown < 1)  // no list
    return 1 + thread_live();
  if (shown == 1)
    return 1;
  // As many as pthread_create() made and nobody saw ending, and the main thread if it has not
  // ended: none of them is a leftover.
  pid_t main_thread = task_main();
  bool main_ended = task_self() != main_thread && !task_alive(tally.pid, main_thread);
  if (shown - main_ended <= thread_live() + !main_ended)
    return (int)shown - main_ended;
  if (task_each(tally.pid, count_alive, &tally) < 0 || tally.alive < 1)
    return (int)shown;
  return tally.alive;
}
