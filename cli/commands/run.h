// `forkhound run`
#pragma once

#include "options.h"

// Returns the exit status.
int run(const struct options *options);
