// Which code a loaded ELF module has unwind entries for, from its .eh_frame_hdr (Linux Standard
// Base, Core, 10.6.2): also of a stripped module it tells where pieces of code begin and end.
#pragma once

#include "page_cache.h"

struct code_range {
  uint64_t start, size;
};

// The piece of code that holds the address, by the table at `eh_frame_hdr`. False where there is
// none, or the table is not in the form that linkers write.
bool frame_table_find(struct pages *pages, uint64_t eh_frame_hdr, uint64_t address,
                      struct code_range *range);
