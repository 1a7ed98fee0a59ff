// A child in place of one that has ended without the program's knowledge.
#pragma once

#include <sys/types.h>

// Makes a child that ends at once with this wait status, of which a core dump is not repeated, and
// has the process id `wanted` where the system lets us choose it (CAP_CHECKPOINT_RESTORE). Returns
// its process id, or -errno. All signals are blocked. Raw system calls only.
pid_t substitute(pid_t wanted, int status);
