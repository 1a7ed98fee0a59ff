// Waits for locks of CPython's: who could still end one?
#pragma once

#include "process/wait_state.h"

#include <jansson.h>
#include <stdbool.h>

struct python_wait {
  const char *kind;  // static text; NULL: the task does not wait for a lock of CPython's
  bool owned;        // an RLock: it refuses to be released by another thread than its owner
  bool lost;         // nobody of this process can release it
  bool interrupted;  // CPython runs handlers written in Python while the task waits
  bool elsewhere;    // another Python thread of this process may have taken it
  bool designed;     // the wait is one for an event: for a Condition, a queue, the end of a thread
};

// `stack` is that of the task, symbolized. NULL: only from memory, and whatever the task waits for
// is taken for a lock of CPython's; it is not stopped.
struct python_wait python_wait_at(pid_t pid, const struct task_wait *task, const json_t *stack);

// Adds why it is lost.
void python_wait_say(json_t *proof, const struct python_wait *lock);
