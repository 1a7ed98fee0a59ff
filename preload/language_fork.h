// The fork() that a language gives to its programs: the child's interpreter writes its state before
// it calls anything that could be noticed, so such a fork is never redirected.
#pragma once

#include <stdbool.h>

// Why a fork of this function is or may be one, or NULL. `exact`: it is allowed by its offset, not
// by a pattern, so in an interpreter without symbols it is one that execs.
const char *language_fork(const char *module, const char *function, bool exact);
