// The places that fork: which of them a fork is at, whichever process it is in.
#pragma once

#include "model.h"

// The site of this id, a new one if it is not known.
struct site *model_site(struct model *model, const char *id);
// The site that the fork `id` is the first of in its process.
struct site *model_site_of_first(struct model *model, const json_t *event, const char *id);
