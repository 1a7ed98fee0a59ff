#include "run_end.h"
#include "clock.h"
#include "learned.h"
#include "session_notes.h"
#include "text.h"

#include <sys/wait.h>

static int
own_status(const struct session *session, int status, bool timed_out)
{
  if (timed_out)
    return 124;
  if (session_failed(session))
    return session->options->error_exitcode;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
run_end(struct session *session, struct tail *events, int status, bool timed_out)
{
  session_tick(session, clock_ns(CLOCK_REALTIME));
  tail_finish(events, session_line, session);
  int own = own_status(session, status, timed_out);
  session_note_end(session, own);
  if (session->bad_count)
    message("event %zu is not a whole event", session->bad_lines[0]);
  if (*session->options->sites)
    learned_write_file(&session->learned, session->options->sites);
  session_close(session, false, own);
  return own;
}
