#include "wait_state.h"
#include "procfs.h"
#include "text.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* proc(5), "syscall": number, six arguments, stack pointer, program counter; futex(2) for the
   arguments: address, operation, value, timeout. */
static bool
read_task(pid_t pid, struct task_wait *task)
{
  unsigned long a[6];
  long number;
  char *text = procfs_read(pid, task->tid, "syscall");
  bool waits = text &&
               sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &number, &a[0], &a[1], &a[2],
                      &a[3], &a[4], &a[5], &task->sp, &task->pc) == 9 &&
               number == SYS_futex;
  free(text);
  if (!waits)
    return false;
  int command = (int)a[1] & FUTEX_CMD_MASK;
  if ((command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI &&
       command != FUTEX_LOCK_PI2) ||
      a[3] != 0)
    return false;
  task->address = a[0];
  task->operation = (int)a[1];
  task->value = (uint32_t)a[2];
  task->switches = procfs_status(pid, task->tid, "voluntary_ctxt_switches", 10) +
                   procfs_status(pid, task->tid, "nonvoluntary_ctxt_switches", 10);
  return true;
}

bool
wait_state_read(pid_t pid, struct wait_state *state)
{
  pid_t *tids;
  struct task_wait main_task = {.tid = pid};
  *state = (struct wait_state){0};
  /* Most often there is one task, and it does something else. */
  if (!read_task(pid, &main_task))
    return false;
  *state = (struct wait_state){.count = procfs_tasks(pid, &tids)};
  if (state->count > 0)
    state->tasks = xrealloc(NULL, state->count * sizeof *state->tasks);
  bool all = state->count > 0;
  for (size_t i = 0; i < state->count && all; i++) {
    state->tasks[i] = (struct task_wait){.tid = tids[i]};
    all = read_task(pid, &state->tasks[i]);
  }
  free(tids);
  if (!all)
    wait_state_free(state);
  return all;
}

void
wait_state_free(struct wait_state *state)
{
  free(state->tasks);
  *state = (struct wait_state){0};
}

bool
wait_state_equal(const struct wait_state *a, const struct wait_state *b, bool uninterrupted)
{
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++) {
    const struct task_wait *x = &a->tasks[i], *y = &b->tasks[i];
    if (x->tid != y->tid || x->address != y->address || x->operation != y->operation ||
        x->sp != y->sp || x->pc != y->pc || (uninterrupted && x->switches != y->switches))
      return false;
  }
  return true;
}
