#include "census.h"

#include "raw_syscall.h"
#include "task.h"
#include "thread.h"

#include <stdbool.h>
#include <sys/single_threaded.h>

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
  if (__libc_single_threaded)
    return 1;

  struct tally tally = {.pid = (pid_t)RAW(SYS_getpid)};
  long shown = task_proc_is_ours() ? task_count(tally.pid) : -1;
  if (shown < 1)  // no /proc
    return 1 + thread_live();
  if (shown == 1)
    return 1;
  // As many as pthread_create() made and nobody saw ending, and the main thread if it has not
  // ended: none of them is a leftover.
  bool caller_is_main = RAW(SYS_gettid) == tally.pid;
  bool main_ended = !caller_is_main && !task_alive(tally.pid, tally.pid);
  if (shown - main_ended <= thread_live() + !main_ended)
    return (int)shown - main_ended;
  if (task_each(tally.pid, count_alive, &tally) < 0 || tally.alive < 1)
    return (int)shown;
  return tally.alive;
}
