// The exported symbols of a loaded ELF module, looked up in its memory: no dynamic loader, no
// files.
#pragma once

#include "page_cache.h"

struct dynamic_symbols {
  uint64_t base;  // load bias
  uint64_t hash, symbols, strings;
  uint64_t eh_frame_hdr;  // 0: none
};

// Reads the headers of the module whose first segment is mapped at `start`. False where there is no
// such module, or it has no GNU hash table.
bool dynamic_symbols_open(struct dynamic_symbols *module, struct pages *pages, uint64_t start);

// The address of an exported variable or function, 0 where there is none of that name; *size is
// that of the symbol. Shorter names than 64 bytes only.
uint64_t dynamic_symbol(const struct dynamic_symbols *module, struct pages *pages, const char *name,
                        uint64_t *size);
