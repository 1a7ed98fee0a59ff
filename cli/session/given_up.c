#include "given_up.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "process/procfs.h"
#include "inspect/threads_now.h"

#include <stdlib.h>

static void
add_threads(json_t *event, pid_t pid)
{
  json_t *all = json_object_get(event, "others"), *threads = threads_now(pid), *thread;
  size_t i;
  json_array_foreach(threads, i, thread)
  {
    char *exe = procfs_exe(pid);
    json_object_set_new(thread, "pid", json_integer(pid));
    json_object_set_new(thread, "exe", json_string(exe));
    json_array_append(all, thread);
    free(exe);
  }
  json_decref(threads);
}

void
given_up(struct session *session, pid_t command, pid_t forker, const char *why)
{
  json_t *event = json_pack("{s:i, s:s, s:I, s:I, s:s, s:[]}", "v", 1, "event", "given_up",
                            "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid",
                            (json_int_t)command, "why", why, "others");
  add_threads(event, command);
  if (forker > 0 && forker != command)
    add_threads(event, forker);
  session_event(session, event);
}
