// The Python frames of a live process, read from its memory while it runs.
#pragma once

#include "common/cpython/reader.h"
#include "process/wait_state.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct live_python;

// NULL: it is no Python, or its memory cannot be read.
struct live_python *live_python_open(pid_t pid);
// The same in the child of a later fork of its place, as it was at the fork: what the child keeps
// of the Python threads that it lost (fork event, `python_evidence`). NULL: it keeps nothing.
struct live_python *live_python_open_then(pid_t child, const json_t *fork_event);
void live_python_close(struct live_python *live);
// Adds what there is to tell of the thread, as the event of a fork has it: "python",
// "python_version" and so on, and a "notes" entry where frames are missing. `live` may be NULL.
void live_python_add(struct live_python *live, pid_t tid, json_t *to);

// The lock of CPython's that the task waits for, as far as memory tells.
struct live_python_lock {
  enum python_lock_type type;  // PYTHON_NO_LOCK: not known
  bool owner_gone;             // of an RLock: its owner has no state in CPython
  bool alone;                  // no other thread has one
  bool elsewhere;              // another Python thread has to do with the lock, or may have
};
struct live_python_lock live_python_lock(struct live_python *live, const struct task_wait *task);

// Of one from live_python_open_then(): "python_unread" where it is not known whether the thread was
// one of Python's. `has_python`: the process that forked has an interpreter.
void live_python_add_then(struct live_python *live, pid_t tid, bool has_python, json_t *to);
