#include "wait_state.h"
#include "procfs.h"
#include "text.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum wait_kind
futex_kind(struct task_wait *task)
{
  int command = (int)task->arguments[1] & FUTEX_CMD_MASK;
  if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI &&
      command != FUTEX_LOCK_PI2)
    return WAIT_NONE;
  task->address = task->arguments[0];
  task->operation = (int)task->arguments[1];
  task->value = (uint32_t)task->arguments[2];
  return task->arguments[3] ? WAIT_FUTEX_TIMED : WAIT_FUTEX;
}

static enum wait_kind
file_kind(const struct task_wait *task)
{
  switch (task->number) {
  case SYS_read:
  case SYS_readv:
  case SYS_recvfrom:
  case SYS_recvmsg: return WAIT_FILE;
  case SYS_poll: return (int)task->arguments[2] < 0 ? WAIT_FILE : WAIT_NONE;
  case SYS_ppoll: return task->arguments[2] ? WAIT_NONE : WAIT_FILE;
  case SYS_select:
  case SYS_pselect6: return task->arguments[4] ? WAIT_NONE : WAIT_FILE;
  case SYS_epoll_wait:
  case SYS_epoll_pwait: return (int)task->arguments[3] < 0 ? WAIT_FILE : WAIT_NONE;
  default: return WAIT_NONE;
  }
}

/* proc(5), "syscall": "running", or number, six arguments, stack pointer, program counter; -1 for a
   task that sleeps outside a system call, or is no more. futex(2): address, operation, value,
   timeout. */
static enum wait_kind
kind_of(const char *text, struct task_wait *task)
{
  unsigned long a[6], sp, pc;
  if (!strncmp(text, "running", 7))
    return WAIT_RUNNING;
  if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &task->number, &a[0], &a[1], &a[2], &a[3],
             &a[4], &a[5], &sp, &pc) != 9)
    return !strncmp(text, "-1 0x0 0x0", 10) ? WAIT_GONE : WAIT_NONE;
  for (size_t i = 0; i < 6; i++)
    task->arguments[i] = a[i];
  task->sp = sp;
  task->pc = pc;
  return task->number == SYS_futex ? futex_kind(task) : file_kind(task);
}

static enum wait_kind
read_task(pid_t pid, int fd, struct task_wait *task)
{
  char text[256];
  bool given = fd >= 0;
  if (!given) {
    fd = procfs_open(pid, task->tid, "syscall");
  }
  ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (!given && fd >= 0)
    close(fd);
  if (n < 0)
    return WAIT_GONE;
  text[n] = 0;
  return kind_of(text, task);
}

bool
wait_state_of_task(pid_t pid, pid_t tid, struct task_wait *task)
{
  *task = (struct task_wait){.tid = tid};
  return read_task(pid, -1, task) == WAIT_FUTEX;
}

static void
add_task(struct wait_state *state, const struct task_wait *task)
{
  state->tasks = xrealloc(state->tasks, (state->count + 1) * sizeof *state->tasks);
  state->tasks[state->count++] = *task;
}

static void
read_all(pid_t pid, struct wait_state *state)
{
  pid_t *tids;
  size_t count = procfs_tasks(pid, &tids);
  bool all = count > 0;
  for (size_t i = 0; i < count && all; i++) {
    struct task_wait task;
    all = wait_state_of_task(pid, tids[i], &task);
    if (all)
      add_task(state, &task);
  }
  free(tids);
  if (all)
    return;
  wait_state_free(state);
  state->kind = WAIT_NONE;
}

void
wait_state_read(pid_t pid, int fd, struct wait_state *state)
{
  struct task_wait task = {.tid = pid};
  *state = (struct wait_state){.kind = read_task(pid, fd, &task)};
  /* Most often there is one task, and it does something else. */
  if (state->kind == WAIT_FUTEX)
    read_all(pid, state);
  else if (state->kind > WAIT_FUTEX)
    add_task(state, &task);
}

bool
wait_state_sleeps(pid_t pid, struct wait_state *state)
{
  for (size_t i = 0; i < state->count; i++)
    if (!procfs_sleeps(pid, state->tasks[i].tid, &state->tasks[i].switches))
      return false;
  return true;
}

void
wait_state_free(struct wait_state *state)
{
  free(state->tasks);
  *state = (struct wait_state){0};
}

static bool
equal(const struct wait_state *a, const struct wait_state *b, bool uninterrupted)
{
  if (a->kind != b->kind || a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++) {
    const struct task_wait *x = &a->tasks[i], *y = &b->tasks[i];
    if (x->tid != y->tid || x->number != y->number || x->arguments[0] != y->arguments[0] ||
        x->operation != y->operation || x->sp != y->sp || x->pc != y->pc ||
        (uninterrupted && x->switches != y->switches))
      return false;
  }
  return true;
}

bool
wait_state_alike(const struct wait_state *a, const struct wait_state *b)
{
  return equal(a, b, false);
}

bool
wait_state_uninterrupted(const struct wait_state *a, const struct wait_state *b)
{
  return equal(a, b, true);
}
