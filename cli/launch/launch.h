// Starting the command with the library in it.
#pragma once

#include "job.h"
#include "base/options.h"

// The environment of the command, with what loads the library, names the event file and tells the
// library its options; `library` is NULL to leave LD_PRELOAD as it is. Needs the run directory.
char **launch_environment(const struct options *options, const char *library);
// Starts job->command. 0, or the errno of the exec that failed.
int launch(struct job *job, char **command, char **environment);
