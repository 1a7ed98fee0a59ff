/* Lines for a file of suppressions. */
#ifndef FORKHOUND_GEN_SUPPRESSIONS_H
#define FORKHOUND_GEN_SUPPRESSIONS_H

#include "model.h"

#include <stdio.h>

/* For each hazard, suspect and deadlock that is not suppressed a line that would do that, after a
   comment that says what it is for; each line once. */
void gen_suppressions(FILE *out, const struct model *model);

#endif
