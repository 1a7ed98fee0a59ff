// `forkhound run`
#pragma once

#include "base/options.h"

// Returns the exit status.
int run(const struct options *options);
