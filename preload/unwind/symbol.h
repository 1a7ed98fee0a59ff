// Names of functions and variables from the symbol tables of files, for text reports of the library
// alone. The command does better: it has elfutils.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Writes the name of the function that covers `offset` (an address as in the file, or as a struct
// module has it) of the file at `path`; false where the file has none. Keeps files mapped until
// symbol_done(). One thread at a time.
bool symbol_find(const char *path, uint64_t offset, char *name, size_t size);
// The same for a variable.
bool symbol_find_data(const char *path, uint64_t offset, char *name, size_t size);
void symbol_done(void);

// Whether the file has a section of this name.
bool symbol_has_section(const char *path, const char *name);

// The same for an event. On Linux always false: the command names functions itself, by elfutils,
// which knows more.
bool symbol_of_event(const char *path, uint64_t offset, char *name, size_t size);
