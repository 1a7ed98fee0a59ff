// Which task of a process has been in one futex wait for long, whatever the others do.
#pragma once

#include "process/wait_state.h"

struct stuck_task {
  struct task_wait wait;
  long long since_ns;            // CLOCK_MONOTONIC: the task is in it at least so long
  unsigned looks;                // that were due: after the time given, and after ten times that
  long long measured_ns;         // when others_ns was read
  unsigned long long others_ns;  // how long the other tasks had run by then, or been ready to
  unsigned long long ran_ns;     // and how long from then until the second look,
  long long of_ns;               // which was so much later
};

struct stuck_tasks {
  struct stuck_task *list;
  size_t count;
};

// Notes what the tasks wait in (`now` is WAIT_PARTLY).
void stuck_tasks_note(struct stuck_tasks *tasks, pid_t pid, const struct wait_state *now,
                      long long now_ns);
// One that has been in the same wait, uninterrupted, for after_ns or, if it is the first task of
// the process, for ten times that, while the others hardly ran; once for each such time; NULL:
// none. It is valid until the next note.
struct stuck_task *stuck_tasks_next(struct stuck_tasks *tasks, pid_t pid, long long now_ns,
                                    long long after_ns);
// It was stopped to be looked at: that does not count as an interruption.
void stuck_task_looked_at(struct stuck_task *task, pid_t pid);
void stuck_tasks_free(struct stuck_tasks *tasks);
