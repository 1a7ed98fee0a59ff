// The processes below this one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Sends `signal` to every living descendant (0: none is sent); returns how many there are.
unsigned tree_kill(int signal);
// The living descendants; the caller frees *pids. Returns their number.
size_t tree_list(pid_t **pids);
// False: no such process, or it is a zombie.
bool process_alive(pid_t pid);
