// What the command finds in its environment.
#pragma once

#include <stddef.h>

// "NAME=FIRST:...", before what the variable, a list, has in ours. The caller frees it.
char *environment_prepend(const char *name, const char *first);
// The same behind it.
char *environment_append(const char *name, const char *last);

// Ours, with these variables, NAME=VALUE, in place of those of the same names. It keeps them.
char **command_environment(char *const variables[], size_t count);
