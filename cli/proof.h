/* Is a child of a multithreaded fork deadlocked? */
#ifndef FORKHOUND_PROOF_H
#define FORKHOUND_PROOF_H

#include "model.h"
#include "wait_state.h"

#include <jansson.h>

/* Examines a process whose tasks have waited in `state`, all of them, uninterrupted, for waited_ms.
   Returns a `deadlock` or `suspect` event, symbolized, or NULL where the wait can well end. */
json_t *prove(const struct fork_record *fork, const struct wait_state *state, long long waited_ms);

#endif
