// Lines for a file of suppressions.
#pragma once

#include "model/model.h"

#include <stdio.h>

// For each hazard, suspect and deadlock that is not suppressed a line that would do that, after a
// comment that says what it is for; each line once.
void gen_suppressions(FILE *out, const struct model *model);
