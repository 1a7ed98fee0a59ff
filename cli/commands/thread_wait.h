// What a thread of another process does, in words.
#pragma once

#include "inspect/live_stack.h"
#include "process/wait_state.h"

#include <jansson.h>

struct thread_wait {
  pid_t pid, tid;
  char state;         // as procfs_state()
  long number;        // of the system call; -1: sleeps in none; -2: runs; -3: cannot be read
  bool untimed_lock;  // a futex wait without a timeout: `task`
  struct task_wait task;
};

// Before its stack is taken: that interrupts the wait.
void thread_wait_read(pid_t pid, pid_t tid, struct thread_wait *wait);
// "runs", "sleeps in wait4()", "waits without a timeout for pthread_mutex 0x... `queue_lock`
// (app+0x40a0)". Safe to print; the caller frees it. `stack` is the thread's, not symbolized;
// `live` may be NULL.
char *thread_wait_words(const struct thread_wait *wait, struct live *live, const json_t *stack);
