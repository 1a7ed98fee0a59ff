// The mappings of this process, as /proc/self/maps lists them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
  uint64_t start, end;
  uint64_t base;  // where its file's first byte is mapped, or would be
  bool readable, writable, executable, shared;
  const char *name;  // path, "[heap]", "[stack]" or ""
};

struct mappings {
  int count;
  bool whole;  // false: the memory given did not hold them all
  struct mapping at[];
};

// Lists them in the `size` bytes at `memory`. NULL without /proc. Raw system calls, no locks, no
// allocation, errno unchanged.
struct mappings *mappings_read(void *memory, size_t size);

// The one that holds the address, or NULL.
const struct mapping *mappings_find(const struct mappings *m, uint64_t address);

// The first address whose permissions differ in the two lists, but for those in [low, high); 0:
// none does.
uint64_t mappings_difference(const struct mappings *a, const struct mappings *b, uint64_t low,
                             uint64_t high);
