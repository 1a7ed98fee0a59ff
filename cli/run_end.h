// The end of `forkhound run`, when the command has ended.
#pragma once

#include "session.h"
#include "tail.h"

// Takes in the last events, writes the summary, and closes the session. Returns our exit status.
// `status`: of waitpid(), the command's; `timed_out`: --time-limit ended it.
int run_end(struct session *session, struct tail *events, int status, bool timed_out);
