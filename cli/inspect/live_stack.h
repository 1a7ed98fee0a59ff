// The stack of a live thread of another process, by libdwfl: the thread stops for some
// milliseconds.
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct live;

// NULL: not permitted, or gone.
struct live *live_open(pid_t pid);
void live_close(struct live *live);
// A stack as events have it, not symbolized yet. An array in any case.
json_t *live_stack(struct live *live, pid_t tid);
// The stack in the memory of the process that these registers, in DWARF's numbering, belong to.
json_t *live_stack_from(struct live *live, const uint64_t *registers);
// {"module", "offset", "symbol"} of an address, as far as they are known.
json_t *live_symbol(struct live *live, uint64_t address);
