// One stream of events from first to last: each goes into the log, into the model, and becomes a
// report as soon as an outcome is known.
#pragma once

#include "model/learned_rules.h"
#include "model/model.h"
#include "base/options.h"
#include "report/text_fork.h"
#include "model/suppressions.h"

enum { MOST_BAD_LINES = 10 };

struct session {
  const struct options *options;
  struct model model;
  int log;  // -1: none
  const char *log_name;
  struct style style;  // .out is NULL: no text report
  FILE *json;          // NULL: none
  struct suppressions suppressions;
  struct learned learned;
  // Reported: the place that forks, to its modules with threads, and to "" the child. NULL: none
  json_t *hazards;
  size_t bad_lines[MOST_BAD_LINES];  // numbers of the first lines that were no whole events
  size_t bad_count;                  // of all of them
  size_t left_out_lines;             // too long, or holes
};

// Opens the files; `stream` is where reports without a FILE go.
void session_open(struct session *session, const struct options *options, FILE *stream);
// A tail_line.
void session_line(void *session, const char *line, size_t length, size_t number);
// Takes in an event of the driver's own, consuming the reference.
void session_event(struct session *session, json_t *event);
// Reports children that have not called exec by `now_ns`.
void session_tick(struct session *session, long long now_ns);
// Whether a finding has reached --fail-on.
bool session_failed(const struct session *session);
// Writes the summary (`always`: even with nothing to say) and the JSON report; closes the files.
void session_close(struct session *session, bool always, int exit_status);
