// `forkhound report`
#pragma once

#include "base/options.h"

// Returns the exit status.
int replay(const struct options *options);
