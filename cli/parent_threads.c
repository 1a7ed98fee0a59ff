#include "parent_threads.h"
#include "json_get.h"
#include "live_python.h"
#include "live_stack.h"
#include "procfs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

bool
parent_lives(const json_t *fork_event)
{
  char link[64], path[PATH_MAX];
  const char *exe = get_string(fork_event, "exe");
  snprintf(link, sizeof link, "/proc/%lld/exe", get_integer(fork_event, "pid"));
  ssize_t length = exe ? readlink(link, path, sizeof path - 1) : -1;
  return length > 0 && (size_t)length == strlen(exe) && !memcmp(path, exe, (size_t)length);
}

static json_t *
thread_now(pid_t pid, pid_t tid, struct live *live, struct live_python *python,
           const json_t *before)
{
  static const char *const kept[] = {"group", "created_by", "creator_tid", "thread"};
  json_t *other = json_pack("{s:i}", "tid", (int)tid);
  for (size_t i = 0; before && i < sizeof kept / sizeof *kept; i++)
    if (json_object_get(before, kept[i]))
      json_object_set(other, kept[i], json_object_get(before, kept[i]));
  char *name = procfs_name(pid, tid);
  if (*name)
    json_object_set_new(other, "thread", json_string(name));
  free(name);
  json_object_set_new(other, "stack", live_stack(live, tid));
  live_python_add(python, tid, other);
  return other;
}

json_t *
threads_now(pid_t pid, pid_t but, const json_t *known)
{
  struct live *live = live_open(pid);
  pid_t *tids;
  if (!live)
    return NULL;
  struct live_python *python = live_python_open(pid);
  size_t count = procfs_tasks(pid, &tids);
  json_t *threads = json_array();
  for (size_t i = 0; i < count && json_array_size(threads) < MOST_THREADS; i++)
    if (tids[i] != but)
      json_array_append_new(threads,
                            thread_now(pid, tids[i], live, python, find_thread(known, tids[i])));
  free(tids);
  live_python_close(python);
  live_close(live);
  return threads;
}

json_t *
parent_threads(const json_t *fork_event, const json_t *site_event)
{
  if (!parent_lives(fork_event))
    return NULL;
  json_t *others =
             threads_now((pid_t)get_integer(fork_event, "pid"),
                         (pid_t)get_integer(fork_event, "tid"), get_array(site_event, "others")),
         *other;
  size_t i;
  json_array_foreach(others, i, other) json_object_set_new(other, "of", json_string("parent"));
  return others;
}
