// The environment as it is now, which any thread may be changing: it is only looked at with reads
// that may fail.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// The value of a variable, cut to `size`; false where there is none. "NAME=" has at most 32 bytes.
// No locks, no allocation.
bool environment_get(const char *name_and_equals, char *value, size_t size);
