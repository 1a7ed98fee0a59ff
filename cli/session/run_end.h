// The end of `forkhound run`, when the command has ended.
#pragma once

#include "session.h"
#include "base/line_tail.h"

// Takes in the last events, writes the summary, and closes the session. Returns our exit status.
// `status`: of waitpid(), the command's; `by`: who ended it.
enum end_by { END_OWN, END_TIME_LIMIT, END_GIVEN_UP };
int run_end(struct session *session, struct tail *events, int status, enum end_by by);
