// What an exec is about to start: can the library be loaded into it?
#pragma once

#include <stdbool.h>

enum target {
  TARGET_LOADS,   // a dynamic glibc program for this machine, a script, or not known
  TARGET_STATIC,  // no dynamic loader: the library is not loaded
  TARGET_SETUID,  // runs with other rights than ours: the loader leaves the library out
  TARGET_SETGID,
  TARGET_CAPABLE,  // the same, by file capabilities
  TARGET_FOREIGN,  // another architecture: the loader warns and goes on
  TARGET_MUSL,  // musl's loader refuses a library made for glibc, and the program would not start
};

// Raw system calls; safe in any child, also of vfork. errno is unchanged.
enum target target_of(const char *path);

// In the words of the command's own check, for a blind event; NULL for TARGET_LOADS.
const char *target_why(enum target target);
