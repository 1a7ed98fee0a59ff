// Session, process group and terminal of a process whose copy takes its place: what is named after
// its process id must be named after the copy's. Raw system calls only.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct terminal_session {
  bool leads_session, leads_group;
  int terminal;     // a descriptor of the controlling terminal of the session it leads, or -1
  bool foreground;  // its group is in the foreground there, or of the terminal on descriptor 0 to 2
  int foreground_terminal;
};

// Of the calling process.
void terminal_session_read(struct terminal_session *session);
// In the copy: leads a session or group as the other did, before that ends.
void terminal_session_lead(const struct terminal_session *session);
// In the other: whether the copy has done so, or has ended.
bool terminal_session_led(const struct terminal_session *session, pid_t copy);
// In the other, before it ends: gives the terminal up, which its end would hang up.
void terminal_session_drop(const struct terminal_session *session);
// In the copy, when the other has ended: takes the terminal.
void terminal_session_take(const struct terminal_session *session);
