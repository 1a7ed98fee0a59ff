// The text report.
#pragma once

#include "model/model.h"

#include <stdio.h>

struct style {
  FILE *out;
  bool color, verbose;
};

// The report of a fork whose outcome is decided, as one write. Its site's event must be symbolized.
void render_fork(const struct style *style, const struct fork_record *fork);
// A hazard at the place where a child reported before was forked, called from elsewhere: a line.
void render_fork_again(const struct style *style, const struct fork_record *fork, const char *place,
                       long long child);
// The place of the fork: "src/app.c:33 in main", not escaped. The caller frees it.
char *render_place(const struct fork_record *fork);
// Its finding: a child that is stuck. Finding and events must be symbolized.
void render_finding(const struct style *style, const struct fork_record *fork);
// One line for another child of the same site that waits at the same place.
void render_finding_again(const struct style *style, const struct fork_record *fork,
                          const char *place);
// A `deadlock` or `suspect` event of a process that was not run under forkhound.
void render_diagnosis(FILE *out, const json_t *event, long long parent);
// A `suspect` event of a fork that does not return.
void render_stray(const struct style *style, const json_t *event);
// A `waiting` event: a child that slept in a lock when the time limit struck.
void render_waiting(const struct style *style, const json_t *event);
// A `given_up` event: why the command was ended, and where its threads were. Must be symbolized.
void render_given_up(const struct style *style, const json_t *event);
// The last line: all forks, their outcomes and the blind spots.
void render_summary(const struct style *style, const struct model *model);
