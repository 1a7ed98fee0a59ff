// What execvp() would run.
#pragma once

// The path of the executable that the command names, by PATH where it has no slash; the caller
// frees it. NULL: there is none.
char *find_command(const char *command);
