// Memory of our own.
#pragma once

#include <stddef.h>

// Private memory that costs only what is touched of it, or NULL. Free with munmap().
void *memory_map(size_t size);
