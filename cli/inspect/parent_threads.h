// The other threads of a process that forks, for forks that left no registers of them.
#pragma once

#include <jansson.h>
#include <sys/types.h>

// The threads that the parent had at the fork and still has, but the forking one, in the form of a
// fork event's `others`; who made them is taken from `site_event`. Those that wait where the memory
// of the child says that they waited at the fork are told as of the fork; of the others, the Python
// frames that the child keeps, or where there are none the stack as it is now, with "of": "parent".
// Nobody is stopped. NULL: the parent is gone, or may not be looked at.
json_t *parent_threads(pid_t child, const json_t *fork_event, const json_t *site_event);
