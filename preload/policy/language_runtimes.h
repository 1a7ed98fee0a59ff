// Forks that are never redirected, whatever the sites file says: the child writes its parent's
// state before it calls anything that could be noticed. Most are the fork() that a language gives
// to its programs.
#pragma once

#include <stdbool.h>

// Why a fork of this function is or may be one, or NULL. `exact`: it is allowed by its offset, not
// by a pattern, so in an interpreter without symbols it is one that execs.
const char *language_fork(const char *module, const char *function, bool exact);
