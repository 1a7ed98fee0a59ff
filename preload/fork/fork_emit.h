// The report of a fork, after the real call has returned in the parent: everything that allocates,
// locks or writes.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Ends the calling thread's call: tells of the fork, and forgets it. child: its pid, 0 where it is
// not known, -1 after a failed fork. errno is unchanged.
void tell_end(pid_t child);

// Whether this process has told of a hazard as text.
bool tell_any(void);

// In a fork child.
void tell_child(void);

// In a fork child of the child of a multithreaded fork: the driver watches it too.
void tell_grandchild(void);
