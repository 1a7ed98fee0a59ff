#include "threads_now.h"
#include "base/json_fields.h"
#include "live_python.h"
#include "live_stack.h"
#include "process/procfs.h"

#include <stdlib.h>

enum { MOST_THREADS = 64 };

static json_t *
thread_now(pid_t pid, pid_t tid, struct live *live, struct live_python *python)
{
  char *name = procfs_name(pid, tid);
  json_t *thread =
      json_pack("{s:i, s:s, s:o}", "tid", (int)tid, "thread", name, "stack", live_stack(live, tid));
  live_python_add(python, tid, thread);
  free(name);
  return thread;
}

json_t *
threads_now(pid_t pid)
{
  struct live *live = live_open(pid);
  pid_t *tids;
  if (!live)
    return NULL;
  struct live_python *python = live_python_open(pid);
  size_t count = procfs_tasks(pid, &tids);
  json_t *threads = json_array();
  for (size_t i = 0; i < count && i < MOST_THREADS; i++)
    json_array_append_new(threads, thread_now(pid, tids[i], live, python));
  free(tids);
  live_python_close(python);
  live_close(live);
  return threads;
}
