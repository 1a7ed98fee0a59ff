// The line tables of CPython's code objects. Pure.
#pragma once

#include "layout.h"

#include <stddef.h>

// The line of the instruction at byte `at` of the code, whose first line is `first`. 0: it belongs
// to no line, or the table does not say. `at` below 0: the code has not begun, at its first line.
int python_line(enum python_lines format, const unsigned char *table, size_t length, int first,
                int at);
