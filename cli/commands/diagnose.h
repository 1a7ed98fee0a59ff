// `forkhound diagnose PID...`
#pragma once

#include "base/options.h"

// Returns the exit status: 0 nothing is stuck, --error-exitcode a deadlock was proven, 125 a
// process could not be examined.
int diagnose(const struct options *options);
