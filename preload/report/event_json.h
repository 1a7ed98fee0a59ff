// Events as JSON lines (schema version 1).
#pragma once

#include "fork_report.h"
#include "common/text/text_buffer.h"

#include <limits.h>

// The beginning of each event, which the caller ends; pid 0: this process.
void event_begin(struct text *t, const char *event, uint64_t time_ns, pid_t pid);
void event_fork(struct text *t, const struct story *story);
// Of the child of a multithreaded fork: before an exec of `path` (error 0) and after one that
// failed (errno), and at its end.
void event_exec(struct text *t, const char *path, int error);
enum { EVENT_STATUS_UNKNOWN = INT_MIN };
void event_exit(struct text *t, int status);
// A child of this process that a fault has ended.
void event_fault(struct text *t, pid_t child, int signal);
// A fork child of such a child.
void event_child(struct text *t);
// What became of a fork that may be redirected. Numbers of 0 and strings of "" are left out.
struct redirect_story {
  const char *module;  // path of the file that calls fork
  uint64_t offset;     // of the return address in it
  const char *function, *verdict, *reason;
  const char *calls;  // of the child before exec, with commas between them
  pid_t child;
  uint64_t after_ns;
};
void event_redirect(struct text *t, const char *action, const struct redirect_story *story);
// A program that the library will not see.
void event_blind(struct text *t, const char *path, const char *why);
