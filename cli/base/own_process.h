// Processes of the command's own, which are none of the tree that it watches: wait() of the job
// does not see them, and neither do the functions of process_tree.h.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// As fork(), whose fork handlers it does not run.
pid_t own_process_fork(void);
// In such a process: takes the name, leaves the terminal and the directory, lets all signals come,
// and keeps no descriptor but `fd`, which becomes 0. It ends where that fails.
void own_process_settle(const char *name, int fd);
// Until it has ended. Returns its status, as waitpid() has it; 0 where that is not known.
int own_process_wait(pid_t pid);

bool own_process_is(pid_t pid);
