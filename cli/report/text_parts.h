// Parts that the report of a fork and that of a stuck child share.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

// "62 libopenblas.so.0, 1 libfoo.so" of a fork event, not escaped; "" if unknown. The caller frees
// it.
char *render_histogram(const json_t *event);
// "pthread_mutex 0x... `queue_lock` (app+0x40a0)" of the "lock" of a finding, safe to print. The
// caller frees it.
char *render_lock(const json_t *lock);
// The threads that fork handlers have stopped, if there were any: a line.
void render_gone(FILE *out, const json_t *event);
// The other threads of a fork event, those alike as one entry. `earlier`: it is not of the fork
// that is told of, but of the first from that place.
void render_other_threads(FILE *out, const json_t *event, bool earlier);
// A line for each, "  LABEL: STRING".
void render_strings(FILE *out, const char *label, const json_t *strings);
// Who created the thread, and where, if that is known.
void render_creator(FILE *out, const json_t *thread);
// The test that pytest was running at the fork, if one was.
void render_test(FILE *out, const json_t *event);
