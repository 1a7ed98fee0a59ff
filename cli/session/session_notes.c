#include "session_notes.h"
#include "base/clock.h"
#include "base/message.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void
session_note_blind(struct session *session, const char *path, const char *why)
{
  char *safe = escaped(path);  // JSON takes UTF-8 only
  session_event(session, json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:s}", "v", 1, "event", "blind",
                                   "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid",
                                   (json_int_t)getpid(), "exe", safe, "path", safe, "why", why));
  free(safe);
}

void
session_note_exit(struct session *session, const struct fork_record *fork, pid_t pid, bool killed)
{
  json_t *status = killed ? json_integer(128 + SIGKILL) : NULL;
  session_event(session,
                json_pack("{s:i, s:s, s:I, s:I, s:O?, s:O?, s:o*, s:s}", "v", 1, "event", "exit",
                          "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid", (json_int_t)pid,
                          "exe", json_object_get(fork->event, "exe"), "fork",
                          json_object_get(fork->event, "id"), "status", status, "by", "forkhound"));
}

void
session_note_end(struct session *session, int status)
{
  session_event(session, json_pack("{s:i, s:s, s:I, s:I, s:i}", "v", 1, "event", "end", "time_ns",
                                   (json_int_t)clock_ns(CLOCK_REALTIME), "pid",
                                   (json_int_t)getpid(), "status", status));
}
