// What libSystem gives a program of macOS, over glibc: numbers and layouts are translated where
// they differ. Only what the library and the test programs import is there.
#pragma once

#include <stdint.h>

// Before the first use. `program`: the path of the executable.
void libsystem_start(const char *program);

// Of a symbol with its underscore; ends the process with a line on stderr where it is not here.
void *libsystem_find(const char *symbol);

// Calls the main() of a program at the outermost frame of a stack.
int libsystem_call_main(uint64_t entry, int argc, char **argv);

// exit(), after a look at what is owed to the kernel.
_Noreturn void libsystem_exit(int status);
