#include "learn_internal.h"

#include "os/futex.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "stuck_child.h"
#include "os/linux/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
  WAIT_CHILD_NS = 200000000,  // what the thread that forks may wait for a borrowed child
  GIVE_UP_NS = 2000000000,    // for one that gets no processor
  WAIT_FIRST_NS = 500000,
  WAIT_MOST_NS = 20000000,
};

const char learn_too_slow[] = "did not exec within 200 ms";

// What it waited for a processor is the second number of proc_pid_schedstat(5).
bool
learn_is_late(const struct lesson *lesson, pid_t child)
{
  uint64_t began = atomic_load(&lesson->watched_at), waited = 0;
  char text[128], *rest;

  if (!began || now_ns(CLOCK_MONOTONIC) - began <= WAIT_CHILD_NS)
    return false;
  if (task_read(child, 0, "schedstat", text, sizeof text) > 0) {
    strtoull(text, &rest, 10);
    waited = strtoull(rest, NULL, 10);
  }
  return now_ns(CLOCK_MONOTONIC) - began > WAIT_CHILD_NS + waited;
}

static bool
has_ended(pid_t child)
{
  siginfo_t info = {.si_pid = 0};

  return RAW(SYS_waitid, P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT, 0) != 0 ||
         info.si_pid == child;
}

static void
give_reason(struct lesson *lesson, const char *reason)
{
  snprintf(lesson->reason, sizeof lesson->reason, "%s", reason);
}

// A child may be killed, so its end is looked for.
static enum lesson_verdict
wait_for_verdict(struct lesson *lesson, pid_t child)
{
  uint64_t end = now_ns(CLOCK_MONOTONIC) + GIVE_UP_NS;
  long wait = WAIT_FIRST_NS;
  int verdict;

  while ((verdict = futex_wait_shared(&lesson->verdict, wait)) == LESSON_NONE) {
    bool ended = has_ended(child);
    bool late = learn_is_late(lesson, child) || now_ns(CLOCK_MONOTONIC) > end;
    if (late && !ended && stuck_child(child))
      return LESSON_NONE;
    if ((ended || late) && atomic_load(&lesson->verdict) == LESSON_NONE) {
      give_reason(lesson, ended ? "ended without exec" : learn_too_slow);
      return LESSON_DENIED;
    }
    wait = wait * 2 < WAIT_MOST_NS ? wait * 2 : WAIT_MOST_NS;
  }
  return (enum lesson_verdict)verdict;
}

// The thread that forked has waited here, so it was another one that wrote its frame.
static bool
frame_changed(const struct learn *learn)
{
  size_t length = learn->frame.return_slot + sizeof(uint64_t) - learn->frame.sp;

  return memcmp(learn->stack, (const void *)learn->frame.sp, length) != 0;
}

enum lesson_verdict
learn_wait(struct learn *learn, pid_t child)
{
  enum lesson_verdict verdict = wait_for_verdict(learn->lesson, child);

  if (verdict != LESSON_SAFE || !frame_changed(learn))
    return verdict;
  give_reason(learn->lesson, "another thread wrote the frame that calls fork");
  return LESSON_DENIED;
}
