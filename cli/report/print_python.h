// The Python frames of an event as text.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

// Prints the frames of one call of the evaluation function, from number `first` on, in the form of
// Python's tracebacks; returns the number of the next.
size_t python_print_group(FILE *out, const json_t *python, size_t first, int indent);
// All of them.
void python_print(FILE *out, const json_t *python, size_t first, int indent);
