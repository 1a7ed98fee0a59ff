// The option `suppressions`, for the reports of the library alone.
#pragma once

#include "fork_report.h"

#include <stdbool.h>

// Whether a line `hazard:PATTERN` of the file fits the site of the fork, or lines fit every other
// thread. A file that cannot be read is named by one line on stderr. One thread at a time; maps
// memory, allocates none.
bool suppression_fits(const struct story *story);
