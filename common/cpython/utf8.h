// The characters of CPython's strings (PEP 393) as UTF-8.
#pragma once

#include <stddef.h>

// Writes `count` characters of `width` bytes each (1: Latin-1, 2, 4) and a NUL; returns the bytes
// without it, or -1 where one is no character. What does not fit in `size` is left out. U+0000 and
// surrogates become U+FFFD; but U+DC80 to U+DCFF, by which CPython carries the bytes of file names
// that are not UTF-8 (PEP 383), become those bytes. Pure.
long python_utf8(char *to, size_t size, const unsigned char *characters, size_t count, int width);
