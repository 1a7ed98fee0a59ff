/* The run directory: where the processes of one run append their events. */
#ifndef FORKHOUND_RUNDIR_H
#define FORKHOUND_RUNDIR_H

#include <stdbool.h>

/* Makes it and the events file, removes both at die(). Returns a descriptor to read the events;
   ends the program if it cannot. `learns`: the library will track writes. There is one run
   directory at most. */
int rundir_make(bool learns);
const char *rundir_events(void);
/* A path for `library` that has neither space nor colon, which LD_PRELOAD cannot quote; one for
   `folder` without a colon, for PYTHONPATH. The caller frees them. */
char *rundir_preloadable(const char *library);
char *rundir_python(const char *folder);
void rundir_remove(void);

#endif
