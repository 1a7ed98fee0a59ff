/* The end of `forkhound run`, when the command has ended. */
#ifndef FORKHOUND_RUN_END_H
#define FORKHOUND_RUN_END_H

#include "session.h"
#include "tail.h"

/* Takes in the last events, writes the summary, and closes the session. Returns our exit status.
   `status`: of waitpid(), the command's; `timed_out`: --time-limit ended it. */
int run_end(struct session *session, struct tail *events, int status, bool timed_out);

#endif
