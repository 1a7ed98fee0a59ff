// What lies where in the writable data of loaded ELF files. Reads the process's own memory; for a
// fork child, which has one thread.
#pragma once

#include "mappings.h"

#include <stdbool.h>
#include <stdint.h>

// Data of this library.
bool elf_data_is_own(uint64_t address);

bool elf_data_is_libc(const char *path);
bool elf_data_is_loader(const char *path);

// A slot of the procedure linkage table of the file at `path`: lazy binding fills it.
bool elf_data_is_got(const struct mappings *m, uint64_t address, const char *path);

// The first page after all that the file at `path` has in memory there; 0: it is no ELF file.
uint64_t elf_data_end(const struct mappings *m, uint64_t address, const char *path);

// The address as the file's symbols give it.
uint64_t elf_data_offset(const struct mappings *m, uint64_t address, const char *path);
