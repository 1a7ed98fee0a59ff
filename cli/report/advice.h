// What to do about a fork or a stuck child: for the kind of program, and for the libraries found.
#pragma once

#include <jansson.h>
#include <stdio.h>

// `fork`: the event that has the stacks and groups of the fork; NULL where none is known. `stuck`:
// the `deadlock` or `suspect` event; NULL where there is none.
void advice_put(FILE *out, const char *exe, const json_t *fork, const json_t *stuck);
