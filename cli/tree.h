/* The processes below this one. */
#ifndef FORKHOUND_TREE_H
#define FORKHOUND_TREE_H

#include <stdbool.h>
#include <sys/types.h>

/* Sends `signal` to every living descendant (0: none is sent); returns how many there are. */
unsigned tree_kill(int signal);
/* False: no such process, or it is a zombie. */
bool process_alive(pid_t pid);

#endif
