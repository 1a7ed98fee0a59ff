#include "report.h"
#include "session/session.h"
#include "base/line_tail.h"
#include "base/message.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The last line says how much was read, too.
static void
name_bad_lines(const char *file, const struct session *session, size_t events)
{
  size_t count = session->bad_count;
  char *read = xasprintf("; %zu event%s read", events, events == 1 ? "" : "s");
  for (size_t i = 0; i < count && i < MOST_BAD_LINES; i++)
    message("%s:%zu: not a whole event%s", file, session->bad_lines[i], i + 1 == count ? read : "");
  if (count > MOST_BAD_LINES)
    message("%s: %zu more such lines%s", file, count - MOST_BAD_LINES, read);
  free(read);
}

int
replay(const struct options *options)
{
  bool from_stdin = !strcmp(options->input, "-");
  const char *name = from_stdin ? "stdin" : options->input;
  // Of a FIFO this waits for who writes the log.
  struct tail tail = {.fd = from_stdin ? STDIN_FILENO
                                       : open(options->input, O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (tail.fd < 0)
    die("%s: %m", name);
  struct session session;
  session_open(&session, options, stdout);
  enum tail_result result;
  while ((result = tail_read(&tail, session_line, &session)) == TAIL_MORE)
    continue;
  if (result == TAIL_FAILED)
    die("%s: %m", name);
  tail_finish(&tail, session_line, &session);
  session_tick(&session, session.model.last_ns);
  size_t events = session.model.events;
  session_close(&session, true, -1);
  name_bad_lines(name, &session, events);
  return session.bad_count && !events ? 125 : 0;
}
