// The Python frames of a live process, read from its memory while it runs.
#pragma once

#include "python.h"
#include "wait_state.h"

#include <jansson.h>
#include <sys/types.h>

struct live_python;

// NULL: it is no Python, or its memory cannot be read.
struct live_python *live_python_open(pid_t pid);
void live_python_close(struct live_python *live);
// Adds what there is to tell of the thread, as the event of a fork has it: "python",
// "python_version" and so on, and a "notes" entry where frames are missing. `live` may be NULL.
void live_python_add(struct live_python *live, pid_t tid, json_t *to);

// The object whose lock the task waits for, and of an RLock whether its owner has a state in
// CPython. PYTHON_NO_LOCK: not known.
enum python_lock live_python_lock(struct live_python *live, const struct task_wait *task,
                                  bool *owner_lives);
// Whether the thread is the only one that has a state in CPython.
bool live_python_is_alone(struct live_python *live, pid_t tid);
