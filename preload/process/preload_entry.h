// One entry of a list like LD_PRELOAD's.
#pragma once

#include <stddef.h>

// Part of the list `value` that names this library, which was loaded as `path`; *length is its
// length. NULL: none does, and *length means nothing.
const char *preload_list_entry(const char *value, const char *path, size_t *length);
