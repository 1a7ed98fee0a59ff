// Stacks and symbols of another process, by libdwfl, which maps its modules: only for the process
// of symbolizer.h.
#pragma once

#include "memory_image.h"

#include <jansson.h>
#include <sys/types.h>

struct unwinder;

// `read` reads memory of the process. NULL: not permitted, or gone.
struct unwinder *unwinder_open(pid_t pid, read_memory read);
void unwinder_close(struct unwinder *unwinder);
// The stack in the memory of the process that these registers, in DWARF's numbering, belong to,
// frame by frame, innermost first. `found` owns what it gets.
void unwind(struct unwinder *unwinder, const uint64_t *registers, void (*found)(json_t *frame));
// {"module", "offset", "symbol", "symbol_offset"} of an address, as far as they are known.
json_t *unwinder_symbol(struct unwinder *unwinder, uint64_t address);
