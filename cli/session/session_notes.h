// The events that the command itself adds to a session.
#pragma once

#include "session.h"

#include <sys/types.h>

// The library will not be loaded into the program at this path.
// `path` as it is, in any bytes.
void session_note_blind(struct session *session, const char *path, const char *why);
// The child `pid` of a fork, or a child of it, has ended without an exit event of its own.
// `killed`: by us.
void session_note_exit(struct session *session, const struct fork_record *fork, pid_t pid,
                       bool killed);
// The command ends with this status: the last event.
void session_note_end(struct session *session, int status);
