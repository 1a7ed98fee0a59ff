// What `redirect` events say: which forks were carried out as posix_spawn does, and why others were
// not.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct redirects {
  unsigned borrowed, became_real, refused;  // refused: places, once for each reason
  bool unavailable;                         // in some process
  json_t *told;                             // lines printed, as keys; NULL: none
};

void redirects_add(struct redirects *redirects, const json_t *event);
// The event as a line: the place, what was done, and why. Nothing if a line for this place said so
// before. Without `verbose` only that forks cannot be redirected.
void redirects_render(FILE *out, struct redirects *redirects, const json_t *event, bool verbose);
// ", 3 forks carried out as posix_spawn does, ..."; nothing if there were none.
void redirects_render_summary(FILE *out, const struct redirects *redirects);

void redirects_free(struct redirects *redirects);
