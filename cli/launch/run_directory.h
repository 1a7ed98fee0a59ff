// The run directory: where the processes of one run append their events. There is one at most.
#pragma once

#include <stdbool.h>

// Chooses its path; from then on die() removes it.
void rundir_choose(void);
// Makes it and the events file. Returns a descriptor to read the events; ends the program if it
// cannot.
int rundir_make(void);
// With all files in it.
void rundir_remove(void);

const char *rundir_events(void);
// The path of a file in it.
const char *rundir_file(const char *name);
// A path for `file` that has none of `separators`, which the variable `list` cannot quote. The
// caller frees it.
char *rundir_nameable(const char *file, const char *separators, const char *list);

// Linux: between rundir_choose() and rundir_make(): starts a process that removes the directory
// when we end, however that comes. rundir_end() has it do so, and waits for it.
void rundir_keep(void);
void rundir_end(void);
// Linux: tells the library which seccomp filters it need not be afraid of. `learns`: it will track
// writes.
void rundir_note_filters(bool learns);
