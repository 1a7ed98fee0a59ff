#include "learn_internal.h"

#include "os/futex.h"
#include "os/hot.h"
#include "process/process.h"
#include "return_trap.h"
#include "process/unsafe_calls.h"
#include "footprint/write_tracking.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

// Of the process watched_pid, which is this one, or, where it has forked, its parent.
static struct learn *watched;
static pid_t watched_pid;
static bool exec_failed;

IN_EACH_CHILD bool
learn_watches(void)
{
  return watched && watched_pid == getpid();
}

// A verdict may come again, from a child whose exec has failed: only a worse one counts.
static void
publish(struct learn *learn, enum lesson_verdict verdict)
{
  struct lesson *lesson = learn->lesson;
  bool again = atomic_load(&lesson->verdict) != LESSON_NONE;

  if (verdict == LESSON_DENIED && lesson->path[0])
    learn_name_written(lesson);
  if (again && verdict == LESSON_SAFE)
    return;
  futex_set(&lesson->verdict, (int)verdict);
  if (again ? verdict == LESSON_DENIED : !learn->waits)
    learn_record(learn, watched_pid, verdict);
}

static void
stop_watching(void)
{
  watched = NULL;
  unsafe_calls_learn(false);
  write_watch_stop();
  return_trap_remove();
}

static void
refuse(enum lesson_verdict verdict, const char *reason)
{
  struct learn *learn = watched;

  stop_watching();
  snprintf(learn->lesson->reason, sizeof learn->lesson->reason, "%s", reason);
  publish(learn, verdict);
}

static void
on_return(void)
{
  learn_refuse("returned from the function that called fork");
}

// Older kernels know neither the feature nor the request.
static const char *
why_no_watch(long error)
{
  if (error == -EPERM || error == -EACCES)
    return "write tracking is not allowed here";
  return error == -EINVAL || error == -ENOTTY || error == -ENOSYS
             ? "no write tracking on this kernel (6.7 needed)"
             : "write tracking cannot be started";
}

void
learn_child(struct learn *learn)
{
  int saved = errno;
  struct notes *notes = &learn->notes;
  long error = 0;

  notes->frame = &learn->frame;
  notes->lesson = learn->lesson;
  notes->asks_threads = learn->waits;
  watched = learn;
  watched_pid = getpid();
  exec_failed = false;
  unsafe_calls_learn(true);
  if (!lesson_prepare(notes))
    refuse(LESSON_UNKNOWN, "its mappings cannot be read");
  else if (!return_trap_set((uint64_t *)learn->frame.return_slot, on_return))
    refuse(LESSON_UNKNOWN, "it has a shadow stack");
  else if ((error = write_watch_start(notes->before)) < 0)
    refuse(LESSON_UNKNOWN, why_no_watch(error));
  atomic_store(&learn->lesson->watched_at, now_ns(CLOCK_MONOTONIC));
  errno = saved;
}

static enum lesson_verdict
judge(void)
{
  const char *call = unsafe_calls_borrowed();
  struct lesson *lesson = watched->lesson;
  struct text calls = {.bytes = lesson->calls, .size = sizeof lesson->calls};

  lesson->calls[0] = 0;
  unsafe_calls_list(&calls);
  if (call)
    snprintf(lesson->reason, sizeof lesson->reason, "called %s", call);
  else if (learn_is_late(lesson, watched_pid))
    snprintf(lesson->reason, sizeof lesson->reason, "%s", learn_too_slow);
  else
    return lesson_judge(&watched->notes);
  return LESSON_DENIED;
}

void
learn_exec(void)
{
  int saved = errno;

  if (learn_watches()) {
    enum lesson_verdict verdict = judge();
    exec_failed = true;  // until it succeeds
    publish(watched, verdict);
    if (verdict != LESSON_SAFE)
      stop_watching();
  }
  errno = saved;
}

IN_EACH_CHILD void
learn_exit(void)
{
  int saved = errno;

  if (learn_watches()) {
    // It may have found nothing to exec.
    if (!exec_failed && !process.exec_error)
      refuse(LESSON_DENIED, "ended without exec");
    else
      publish(watched, judge());
  }
  errno = saved;
}

void
learn_refuse(const char *what)
{
  int saved = errno;

  if (learn_watches())
    refuse(LESSON_DENIED, what);
  errno = saved;
}
