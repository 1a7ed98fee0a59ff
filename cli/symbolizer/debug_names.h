// Names for addresses: from the symbol tables and debug information of a module on disk. It maps
// what programs chose: only for the process of symbolizer.h.
#pragma once

#include <jansson.h>

// For each address (integers, as the file has them) an array of frames with "function", "file",
// "line", "inlined", innermost call first. An empty array: the file is not to be read, or has
// another build-id (hex; "": any).
json_t *debug_names(const char *path, const char *build_id, const json_t *addresses);
