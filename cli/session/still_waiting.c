#include "still_waiting.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "prove/finding.h"
#include "process/wait_state.h"

#include <sys/syscall.h>

static const long long MOST_NS = 2000000000;

static json_t *
make_event(const struct watched *watched, const struct task_wait *task, bool with_stack)
{
  const json_t *fork_event = watched->fork->event;
  struct live *live = with_stack ? live_open(watched->pid) : NULL;
  json_t *stack = live_stack(live, task->tid);
  struct lock lock = lock_at(watched->pid, task, stack);
  json_t *described = live_symbol(live, lock.address);
  live_close(live);
  proof_describe(described, &lock);
  json_t *event =
      json_pack("{s:i, s:s, s:I, s:I, s:s*, s:s*, s:I, s:o, s:o}", "v", 1, "event", "waiting",
                "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid", (json_int_t)watched->pid,
                "exe", get_string(fork_event, "exe"), "fork", get_string(fork_event, "id"), "tid",
                (json_int_t)task->tid, "lock", described, "stack", stack);
  if (with_stack)
    proof_add_python(event, watched->pid, task->tid);
  return event;
}

void
still_waiting(const struct watch *watch, struct session *session)
{
  long long end = clock_ns(CLOCK_MONOTONIC) + MOST_NS;
  for (size_t i = 0; i < watch->count; i++) {
    const struct watched *watched = &watch->list[i];
    struct task_wait task;
    bool untimed = wait_state_of_task(watched->pid, watched->pid, &task);
    if (!watched->killed && (untimed || (task.number == SYS_futex && task.address)))
      session_event(session, make_event(watched, &task, clock_ns(CLOCK_MONOTONIC) < end));
  }
}
