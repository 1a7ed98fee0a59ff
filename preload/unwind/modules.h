// The loaded modules. On Linux they are read from /proc/self/maps and the modules' own headers, not
// from the dynamic loader: its lock may be held by a thread that waits for this one, or, in a fork
// child, by nobody.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODULES = 1024, BUILD_ID = 32 };

struct module {
  uint64_t base;          // load bias: address minus the address in the file
  uint64_t low, high;     // of all its segments
  uint64_t eh_frame_hdr;  // address of .eh_frame_hdr, or 0
  const char *path;
  unsigned char build_id[BUILD_ID];
  size_t build_id_length;  // 0: none
};

struct modules {
  size_t mapped;
  int count;
  struct module at[MODULES];
};

// NULL where they or memory cannot be had. What was unloaded since is found out by whoever reads
// it: use memory_copy(). No locks, no allocation but mmap. Free with modules_free().
struct modules *modules_read(void);
void modules_free(struct modules *modules);

// The module that holds the address, or NULL; modules may be NULL.
const struct module *modules_find(const struct modules *modules, uint64_t address);

// The last part of the module's path.
const char *module_name(const struct module *m);

bool module_is_own(const struct module *m);          // this library
bool module_is_runtime(const struct module *m);      // this library, or the C or C++ library
bool module_starts_threads(const struct module *m);  // the one that a thread begins in
