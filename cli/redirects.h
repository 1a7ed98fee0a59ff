/* What `redirect` events say: which forks were carried out as posix_spawn does, and why others were
   not. */
#ifndef FORKHOUND_REDIRECTS_H
#define FORKHOUND_REDIRECTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct redirects {
  unsigned borrowed, became_real, refused; /* refused: places, once for each reason */
  bool unavailable;                        /* in some process; told */
};

void redirects_add(struct redirects *redirects, const json_t *event);
/* The event as a line: the place, what was done, and why. */
void redirects_render(FILE *out, const json_t *event);
/* ", 3 forks carried out as posix_spawn does, ..."; nothing if there were none. */
void redirects_render_summary(FILE *out, const struct redirects *redirects);

#endif
