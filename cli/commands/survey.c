#include "survey.h"
#include "symbols/frame.h"
#include "symbols/python_frame.h"
#include "base/json_fields.h"
#include "inspect/live_python.h"
#include "inspect/live_stack.h"
#include "process/procfs.h"
#include "prove/proof.h"
#include "prove/finding.h"
#include "symbols/symbolize.h"
#include "base/message.h"
#include "thread_wait.h"

#include <stdio.h>
#include <stdlib.h>

// All of its tasks sleep in locks.
static char *
why_all(pid_t pid, const struct wait_state *state)
{
  if (shares_memory(pid))
    return xstrdup("its threads wait for locks or each other, and another process, which shares "
                   "its memory, may end that");
  if (!proof_applies(pid, state))
    return xstrdup("it waits for a lock in memory that other processes may write");
  return xstrdup("its threads wait for locks or each other, but not all in the same wait for "
                 "long enough");
}

static char *
why_beside(pid_t pid, const struct wait_state *state)
{
  for (size_t i = 0; i < state->count; i++)
    if (state->tasks[i].tid == pid)
      return xasprintf("its first thread waits for a lock or another thread, and %zu other%s on, "
                       "which may end the wait",
                       state->others, state->others == 1 ? " goes" : "s go");
  return NULL;
}

char *
survey_why(pid_t pid)
{
  struct wait_state state;
  char letter = procfs_state(pid, pid);
  if (letter == 'T' || letter == 't')
    return xstrdup(letter == 'T' ? "it is stopped" : "it is stopped by a tracer");
  if (letter == 'Z')
    return xstrdup("its first thread has ended");
  char *text = procfs_read(pid, 0, "syscall");
  if (!text)
    return xstrdup("its system calls cannot be read");
  free(text);
  wait_state_read(pid, -1, &state);
  char *why = state.kind == WAIT_FUTEX    ? why_all(pid, &state)
              : state.kind == WAIT_PARTLY ? why_beside(pid, &state)
                                          : NULL;
  wait_state_free(&state);
  return why;
}

static void
print_thread(pid_t pid, pid_t tid, struct live *live, struct live_python *python)
{
  struct thread_wait wait;
  thread_wait_read(pid, tid, &wait);
  json_t *holder = json_pack("{s:o}", "stack", live_stack(live, tid));
  char *words = thread_wait_words(&wait, live, json_object_get(holder, "stack"));
  live_python_add(python, tid, holder);
  symbolize_event(holder);
  bool foreign = python_is_foreign(holder, get_string(holder, "python_version"));
  printf("  thread %d%s %s", (int)tid, foreign ? " (not a Python thread)" : "", words);
  if (json_array_size(json_object_get(holder, "stack")) > 0) {
    char *place = stack_place_of_thread(holder);
    fputs(", at ", stdout);
    put_escaped(stdout, place);
    free(place);
  }
  putchar('\n');
  free(words);
  json_decref(holder);
}

void
survey_print(pid_t pid, pid_t parent, const char *why, bool all)
{
  pid_t *tids;
  size_t threads = procfs_tasks(pid, &tids);
  char *name = procfs_name(pid, 0);
  char *child = parent ? xasprintf(", child of %d", (int)parent) : xstrdup("");
  printf("forkhound: %d (%s)%s, %zu thread%s: %s%s\n", (int)pid, name, child, threads,
         threads == 1 ? "" : "s", why ? "not judged: " : "no deadlock seen", why ? why : "");
  struct live *live = live_open(pid);
  struct live_python *python = live_python_open(pid);
  for (size_t i = 0; i < threads; i++)
    if (all || tids[i] == pid)
      print_thread(pid, tids[i], live, python);
  live_close(live);
  live_python_close(python);
  free(name);
  free(child);
  free(tids);
}
