// An object file that is no more, or never was, on disk, as it lies in a process.
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool (*read_memory)(uint64_t address, void *to, size_t length);

// Of the file that is mapped at `base` from its start. NULL: there is none. *bytes is to be freed
// after the result.
Elf *memory_image(uint64_t base, read_memory read, void **bytes);
