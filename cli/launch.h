/* Starting the command with the library in it. */
#ifndef FORKHOUND_LAUNCH_H
#define FORKHOUND_LAUNCH_H

#include "job.h"

/* The path of libforkhound.so: that of FORKHOUND_LIBRARY, or beside the command. Dies if there is
   none. */
char *launch_find_library(void);
/* Starts job->command. 0, or the errno of the exec that failed. */
int launch(struct job *job, char **command, char **environment);

#endif
