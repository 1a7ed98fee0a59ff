// The other threads of a process that forks, as they are now: for forks that left no evidence.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

// Whether the process that forked is still there, in the same program.
bool parent_lives(const json_t *fork_event);

// The threads but the forking one, in the form of a fork event's `others`, with "of": "parent"; who
// made them is taken from `site_event`. NULL: the process is gone, or may not be looked at. Stops
// each for some milliseconds.
json_t *parent_threads(const json_t *fork_event, const json_t *site_event);
