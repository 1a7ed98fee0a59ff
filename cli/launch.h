/* Starting the command with the library in it. */
#ifndef FORKHOUND_LAUNCH_H
#define FORKHOUND_LAUNCH_H

#include "job.h"

/* The environment of the command, with what loads the library and names the event file; `library`
   is NULL to leave LD_PRELOAD as it is. `start_method`: of Python's multiprocessing, or NULL. Needs
   the run directory. */
char **launch_environment(const char *library, const char *start_method);
/* Starts job->command. 0, or the errno of the exec that failed. */
int launch(struct job *job, char **command, char **environment);

#endif
