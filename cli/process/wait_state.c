#include "wait_state.h"
#include "procfs.h"
#include "base/message.h"

#include <linux/futex.h>
#include <signal.h>
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

// proc(5), "syscall": "running", or number, six arguments, stack pointer, program counter; -1 for a
// task that sleeps outside a system call, or is no more. futex(2): address, operation, value,
// timeout.
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

// Calls that only a handler of a signal ends.
static bool
waits_for_handler(const struct task_wait *task)
{
  switch (task->number) {
  case SYS_pause:
  case SYS_rt_sigsuspend: return true;
  case SYS_poll: return !task->arguments[1] && (int)task->arguments[2] < 0;
  case SYS_ppoll: return !task->arguments[1] && !task->arguments[2];
  case SYS_select:
  case SYS_pselect6: return !task->arguments[0] && !task->arguments[4];
  default: return false;
  }
}

// Those of faults, and libc's own 32 and 33, do not come to a task that sleeps and has nobody to
// send them.
static bool
has_handler(pid_t pid)
{
  static const int of_own_doing[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL, SIGABRT,
                                     SIGTRAP, SIGPIPE, SIGSYS, 32,     33};
  unsigned long long caught = procfs_status(pid, 0, "SigCgt", 16);
  for (size_t i = 0; i < sizeof of_own_doing / sizeof *of_own_doing; i++)
    caught &= ~(1ull << (of_own_doing[i] - 1));
  return caught != 0;
}

static void
keep_futex_waits(struct wait_state *state)
{
  size_t kept = 0;
  for (size_t i = 0; i < state->count; i++)
    if (!state->tasks[i].for_handler)
      state->tasks[kept++] = state->tasks[i];
  state->others += state->count - kept;
  state->count = kept;
}

// False: no task of it is in a futex wait without a timeout.
static bool
read_all(pid_t pid, struct wait_state *state)
{
  pid_t *tids;
  size_t count = procfs_tasks(pid, &tids), in_futex = 0;
  for (size_t i = 0; i < count; i++) {
    struct task_wait task = {.tid = tids[i]};
    enum wait_kind kind = read_task(pid, -1, &task);
    task.for_handler = kind != WAIT_FUTEX && kind != WAIT_RUNNING && waits_for_handler(&task);
    if (kind == WAIT_FUTEX || task.for_handler)
      add_task(state, &task);
    in_futex += kind == WAIT_FUTEX;
  }
  free(tids);
  state->others = count - state->count;
  if (!in_futex) {
    wait_state_free(state);
    return false;
  }
  if (state->others || (in_futex < state->count && has_handler(pid)))
    keep_futex_waits(state);
  state->kind = state->others ? WAIT_PARTLY : WAIT_FUTEX;
  return true;
}

void
wait_state_read(pid_t pid, int fd, struct wait_state *state)
{
  struct task_wait task = {.tid = pid};
  enum wait_kind kind = read_task(pid, fd, &task);
  *state = (struct wait_state){.kind = WAIT_GONE};
  if (kind == WAIT_GONE)
    return;
  // Most often there is one task, and it does something else.
  struct wait_state all = {0};
  if ((kind == WAIT_FUTEX || procfs_task_count(pid) > 1) && read_all(pid, &all)) {
    *state = all;
    return;
  }
  state->kind = kind == WAIT_FUTEX ? WAIT_NONE : kind;
  if (kind > WAIT_PARTLY)
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

bool
task_wait_alike(const struct task_wait *a, const struct task_wait *b)
{
  return a->tid == b->tid && a->number == b->number && a->arguments[0] == b->arguments[0] &&
         a->operation == b->operation && a->sp == b->sp && a->pc == b->pc;
}

static bool
equal(const struct wait_state *a, const struct wait_state *b, bool uninterrupted)
{
  if (a->kind != b->kind || a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++) {
    const struct task_wait *x = &a->tasks[i], *y = &b->tasks[i];
    if (!task_wait_alike(x, y) || (uninterrupted && x->switches != y->switches))
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
