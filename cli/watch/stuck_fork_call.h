// Threads that do not come back from fork(), because a fork handler of some library is stuck.
#pragma once

#include "process/wait_state.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

// A thread that sleeps in a futex wait in a call of fork().
struct forking {
  pid_t pid;
  struct task_wait wait;
  long long since_ns;  // CLOCK_MONOTONIC: it is in that wait at least so long
  bool told, seen;
};

struct stuck_forks {
  struct forking *list;
  size_t count;
  long long stuck_after_ns;
  void (*found)(void *context, pid_t pid, json_t *event);
  void *context;
};

// Looks at the threads of those processes that have several, once; nobody is stopped, but for one
// look at the stack of a thread that is stuck. Calls found() with a `suspect` event of its own
// reference.
void stuck_forks_tick(struct stuck_forks *forks, const pid_t *pids, size_t count);
void stuck_forks_free(struct stuck_forks *forks);
