// The command is ended since nothing is left that it could do.
#pragma once

#include "session.h"

#include <sys/types.h>

// A `given_up` event, with what the threads of the command and of the process that forked the stuck
// child do now. Stops each for some milliseconds.
void given_up(struct session *session, pid_t command, pid_t forker, const char *why);
