// Is a process deadlocked: does it wait for what nobody is left to do?
#pragma once

#include "finding.h"
#include "process/wait_state.h"

#include <jansson.h>
#include <stdbool.h>

// Examines a process whose tasks have waited in `state`, all of them, uninterrupted, for waited_ms.
// Returns a `deadlock` or `suspect` event, symbolized, or NULL where the wait can well end.
json_t *prove(const struct suspect *suspect, const struct wait_state *state, long long waited_ms);

// The same of one task, where `others` of them do not wait so: it may be stuck although they go on.
json_t *prove_task(const struct suspect *suspect, const struct task_wait *task, size_t others,
                   long long waited_ms);

// Whether prove() could say anything of a process in such a wait.
bool proof_applies(pid_t pid, const struct wait_state *state);
