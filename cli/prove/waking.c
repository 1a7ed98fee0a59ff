#include "inspect/handlers.h"
#include "base/json_fields.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "finding.h"
#include "python_wait.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

// Those whose handlers cannot end the wait, of those that only note a signal. sem_wait()
// and a bare futex tell their caller of any signal (EINTR). Where CPython waits for a lock of its
// own, it runs what the program wants to be done: most often that is the design where it waits for
// an event, or where the program has set a timer; else it could give back a lock only that it did
// not take, or throw.
static unsigned long long
harmless(pid_t pid, const struct handlers *handlers, const struct lock *lock,
         const struct python_wait *python)
{
  if (!python->kind)
    return strcmp(lock->kind, "semaphore") && strcmp(lock->kind, "futex") ? handlers->noting : 0;
  if (!python->interrupted)
    return handlers->noting;
  return python->designed ? 0 : handlers->noting & ~(handlers->timers | procfs_timer_signals(pid));
}

int
waking_unless_noted(const struct suspect *suspect, const struct task_wait *task,
                    const struct lock *lock, const json_t *stack, bool owned, struct noted *noted)
{
  pid_t pid = suspect->pid;
  int signal = waking_signal(pid, owned, suspect->never_forked);
  struct handlers handlers;
  *noted = (struct noted){0};
  // A process that may well be healthy is left alone.
  if (!signal || suspect->never_forked || task->tid != pid ||
      !handlers_read(pid, task->tid, &handlers))
    return signal;
  json_t *named = json_pack("{s:O}", "stack", (json_t *)(uintptr_t)stack);
  symbolize_event(named);
  struct python_wait python = python_wait_at(pid, task, get_array(named, "stack"));
  json_decref(named);
  unsigned long long caught = procfs_status(pid, 0, "SigCgt", 16);
  noted->signals = caught & harmless(pid, &handlers, lock, &python);
  noted->in_python = python.kind && python.interrupted;
  return waking_among(pid, caught & ~noted->signals, owned, suspect->never_forked);
}

void
proof_say_noted(json_t *proof, const struct noted *noted)
{
  char *list = xstrdup("");
  for (int signal = 1; signal <= 64; signal++) {
    const char *name = noted->signals & 1ull << (signal - 1) ? sigabbrev_np(signal) : NULL;
    if (!name)
      continue;
    char *longer = xasprintf("%s%sSIG%s", list, *list ? ", " : "", name);
    free(list);
    list = longer;
  }
  if (*list)
    proof_say(proof, xasprintf("the handler of %s only notes that the signal has come%s", list,
                               noted->in_python
                                   ? ": what Python runs then could end the wait only by an "
                                     "exception, or by giving back a lock that it did not take"
                                   : ""));
  free(list);
}
