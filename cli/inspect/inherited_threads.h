// What the child of a fork carries of the threads that it lost: their registers, which the library
// left in its memory (fork event, `evidence`), and their stacks, as they were at the fork.
#pragma once

#include <jansson.h>
#include <sys/types.h>

// The other threads at the fork, as `others` of an event has them, unwound in the memory of the
// child; names and creators from site_event (NULL: none), the first fork's of that place. A new
// reference; NULL: the event names no evidence, or it cannot be read.
json_t *evidence_threads(pid_t child, const json_t *fork_event, const json_t *site_event);
