// The other threads of a process that forks, as they are now: for forks that left no evidence.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

// Whether the process that forked is still there, in the same program.
bool parent_lives(const json_t *fork_event);

// The threads of a process but one (0: all), in the form of a fork event's `others`; who made them
// is taken from `known`, such a list. NULL: it is gone, or may not be looked at. Stops each for
// some milliseconds.
json_t *threads_now(pid_t pid, pid_t but, const json_t *known);

// The threads but the forking one, in the form of a fork event's `others`, with "of": "parent".
json_t *parent_threads(const json_t *fork_event, const json_t *site_event);
