// Processes that get nowhere, though it is not proven that they never will. Each function returns a
// `suspect` event, symbolized, or NULL where what was seen can well end.
#pragma once

#include "self_wait.h"
#include "proof.h"
#include "spin.h"
#include "stuck_task.h"

// A process that was found in the same loop `times` times, and has not slept for spun_ms.
json_t *suspect_spin(const struct suspect *suspect, const struct spin *spin, unsigned times,
                     long long spun_ms);

// Whether only the process itself could write to its own end: no signal handler, no other task.
bool own_end_applies(pid_t pid);
// A process that waits for data from itself.
json_t *suspect_own_end(const struct suspect *suspect, const struct own_end *end,
                        long long waited_ms);

// A process whose first task has been in one wait for a lock for waited_ms, beside others that do
// not use a processor to speak of. Not where the wait is made to be ended by an event, nor where
// the lock's owner, or another thread that has to do with the lock, is there.
json_t *suspect_beside(const struct suspect *suspect, const struct stuck_task *stuck,
                       long long waited_ms);

// A process that waits with a timeout, again and again, for the same lock: `times` such waits were
// seen in waited_ms, and nothing else. Suspected only where the lock has an owner who is gone.
json_t *suspect_repeats(const struct suspect *suspect, const struct wait_state *state,
                        unsigned times, long long waited_ms);
