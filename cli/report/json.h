// The JSON report: one document.
#pragma once

#include "model/model.h"

#include <stdio.h>

// {"v", "summary", "findings", "blind"}; "findings" has one object for each site with a hazard,
// with its whole fork event in "event". `exit_status` < 0: not known.
void render_json(FILE *out, const struct model *model, int exit_status);
