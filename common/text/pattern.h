// The patterns of suppressions.
#pragma once

#include <stdbool.h>

// * stands for anything, ^ and $ for the ends; a pattern without them may fit anywhere. Pure.
bool pattern_fits(const char *pattern, const char *text);
