// A fork child that was to be learned from, and hangs instead: what redirecting is for.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Whether it sleeps in a lock that no other process can reach, after calls of libc that take locks:
// another thread of its parent held it at the fork. In the parent.
bool stuck_child(pid_t child);

// Ends it and reaps it, before anybody has been told of it.
void stuck_child_end(pid_t child);
