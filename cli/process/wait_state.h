// What the tasks of a process wait in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct task_wait {
  pid_t tid;
  long number;  // of the system call
  uint64_t arguments[6];
  // Of a futex wait: the word's address, its value when the wait began, and the operation with its
  // flags.
  uint64_t address;
  uint32_t value;
  int operation;
  uint64_t sp, pc;
  bool for_handler;  // no futex wait: only a signal's handler ends it, and none is installed
  unsigned long long
      switches;  // how often it gave up or lost the processor: the same wait if equal
};

enum wait_kind {
  WAIT_GONE,         // no process, or a zombie
  WAIT_NONE,         // something else, or not all of its tasks wait alike
  WAIT_RUNNING,      // its first task runs, or could
  WAIT_FUTEX,        // every task sleeps without an end, at least one in a futex wait
  WAIT_PARTLY,       // some tasks sleep in futex waits without a timeout, others do not
  WAIT_FUTEX_TIMED,  // its first task sleeps in a futex wait with a timeout
  WAIT_FILE,         // its first task waits for data, without a timeout: see self_wait.h
};

struct wait_state {
  enum wait_kind kind;
  size_t count;  // 0 for WAIT_GONE to WAIT_RUNNING; for WAIT_PARTLY those in futex waits
  struct task_wait *tasks;
  size_t others;  // for WAIT_PARTLY: how many do not
};

// Fills *state, to be freed with wait_state_free(). `fd` is an open /proc/PID/syscall, or -1. The
// switches are not read: that costs more than all the rest.
void wait_state_read(pid_t pid, int fd, struct wait_state *state);
// Reads the switches of each task. False if one does not sleep: it is stopped, or has been woken.
bool wait_state_sleeps(pid_t pid, struct wait_state *state);
// One task: true if it is in a futex wait without a timeout; fills *task.
bool wait_state_of_task(pid_t pid, pid_t tid, struct task_wait *task);
void wait_state_free(struct wait_state *state);
// The same tasks in the same waits, which may have ended and begun again in between.
bool task_wait_alike(const struct task_wait *a, const struct task_wait *b);
bool wait_state_alike(const struct wait_state *a, const struct wait_state *b);
// They have not run in between: the switches of both were read and are equal too.
bool wait_state_uninterrupted(const struct wait_state *a, const struct wait_state *b);
