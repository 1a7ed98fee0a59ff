#include "run_end.h"
#include "base/clock.h"
#include "model/learned_rules.h"
#include "session_notes.h"
#include "base/message.h"

#include <sys/wait.h>

static int
own_status(const struct session *session, int status, enum end_by by)
{
  if (by == END_GIVEN_UP || session_failed(session))
    return session->options->error_exitcode;
  if (by == END_TIME_LIMIT)
    return 124;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
run_end(struct session *session, struct tail *events, int status, enum end_by by)
{
  session_tick(session, clock_ns(CLOCK_REALTIME));
  tail_finish(events, session_line, session);
  int own = own_status(session, status, by);
  session_note_end(session, own);
  if (session->bad_count)
    message("event %zu is not a whole event", session->bad_lines[0]);
  if (*session->options->sites)
    learned_write_file(&session->learned, session->options->sites);
  session_close(session, false, own);
  return own;
}
