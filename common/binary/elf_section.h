// The sections of an ELF file: their headers are in the file only, not in memory.
#pragma once

#include "page_cache.h"

// Where the section of that name is in memory, in bytes from where the start of the file is mapped;
// 0: there is none. `file`: its addresses are offsets in the file. Few reads, no locks, no
// allocation: any thread, any child.
uint64_t elf_section(const struct pages_source *file, const char *name);
