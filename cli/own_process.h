// Processes of the command's own, which are none of the tree that it watches: wait() of the job
// does not see them, and neither do the functions of tree.h.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// As fork(), whose fork handlers it does not run.
pid_t own_process_fork(void);
// Until it has ended.
void own_process_wait(pid_t pid);

bool own_process_is(pid_t pid);
