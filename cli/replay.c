#include "replay.h"
#include "session.h"
#include "tail.h"
#include "text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
replay(const struct options *options)
{
  bool from_stdin = !strcmp(options->input, "-");
  const char *name = from_stdin ? "stdin" : options->input;
  struct tail tail = {.fd = from_stdin ? STDIN_FILENO
                                       : open(options->input, O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (tail.fd < 0)
    die("%s: %m", name);
  struct session session;
  session_open(&session, options, stdout);
  if (!tail_read(&tail, session_line, &session))
    die("%s: %m", name);
  tail_finish(&tail, session_line, &session);
  session_tick(&session, session.model.last_ns);
  size_t events = session.model.events, bad_line = session.bad_line;
  session_close(&session, true, -1);
  if (bad_line)
    message("%s:%zu: not a whole event; %zu event%s read", name, bad_line, events,
            events == 1 ? "" : "s");
  return bad_line && !events ? 125 : 0;
}
