// `forkhound report`
#pragma once

#include "options.h"

// Returns the exit status.
int replay(const struct options *options);
