// What kind of lock a futex word belongs to, and who owns it.
#pragma once

#include "lock_layout.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

// `stack` is that of the waiting thread: the lock's kind is told from the function that waits, or
// from the words of the lock.
struct lock lock_at(pid_t pid, const struct task_wait *wait, const json_t *stack);

// Whether such a wait ends by an event, and not when somebody gives a lock back. `kind` is that of
// a struct lock.
bool lock_is_event(const char *kind);

// Whether the words look like those of a lock whose owner is no thread of the process. Cheap: the
// task is not stopped. What says so may still be no such lock.
bool lock_may_be_lost(pid_t pid, const struct task_wait *wait);
