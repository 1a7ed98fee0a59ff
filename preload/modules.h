// The loaded modules, as the dynamic loader lists them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODULES = 1024, SEGMENTS = 8 };

struct module {
  uint64_t base;       // load bias: address minus the address in the file
  uint64_t low, high;  // of all its segments
  struct {
    uint64_t low, high;
  } segments[SEGMENTS];  // what is mapped and readable; there may be holes between
  int segment_count;
  const char *path;
  const unsigned char *build_id;
  size_t build_id_length;  // 0: none
};

struct modules {
  int count;
  struct module at[MODULES];
};

// Calls work(modules, argument) while the loader's lock is held: no module can be unloaded until it
// returns. Not in the child of a multithreaded fork, where the lock may be held for ever.
void modules_with(void (*work)(const struct modules *modules, void *argument), void *argument);

// The module that holds the address, or NULL.
const struct module *modules_find(const struct modules *modules, uint64_t address);

// Whether the `length` bytes at the address lie in one readable segment of a module.
bool modules_readable(const struct modules *modules, uint64_t address, size_t length);

// The last part of the module's path.
const char *module_name(const struct module *m);
