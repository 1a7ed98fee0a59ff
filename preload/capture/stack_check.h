// Is each captured stack what the child inherited? The threads ran on between the capture and the
// clone; what the child has at their stack pointers tells.
#pragma once

#include "process/process.h"
#include "snapshot.h"

// In the child, before anything runs there that may change what it inherited: fills outcome->same
// and sets outcome->compared. Async-signal-safe.
void compare_in_child(const struct snapshot *s, struct outcome *outcome);

// In the parent, which need not wait until the child gets a processor: the child's memory is read
// from here, unless it has got that far itself. Where that cannot be, its answer is waited for, at
// most 20 ms.
void compare_from_parent(const struct snapshot *s, struct outcome *outcome, pid_t child);
