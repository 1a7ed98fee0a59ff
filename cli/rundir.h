// The run directory: where the processes of one run append their events. There is one at most.
#pragma once

#include <stdbool.h>

// Makes it and the events file, removes both at die(). Returns a descriptor to read the events;
// ends the program if it cannot.
int rundir_make(void);
void rundir_remove(void);

const char *rundir_events(void);
// The path of a file in it, which is removed with it.
const char *rundir_file(const char *name);
// A path for `file` that has none of `separators`, which the variable `list` cannot quote. The
// caller frees it.
char *rundir_nameable(const char *file, const char *separators, const char *list);

// Linux: when all its files are named, has them removed even if we are killed. `learns`: the
// library will track writes.
void rundir_keep(bool learns);
