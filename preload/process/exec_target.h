// What an exec is about to start: can the library be loaded into it?
#pragma once

#include <stdbool.h>

enum target {
  TARGET_LOADS,   // a dynamic program for this machine, a script, or not known
  TARGET_STATIC,  // no dynamic loader: the library is not loaded
  TARGET_SETUID,  // runs with other rights than ours: the loader leaves the library out
  TARGET_SETGID,
  TARGET_CAPABLE,     // the same, by file capabilities
  TARGET_FOREIGN,     // another architecture: the loader warns and goes on
  TARGET_UNREADABLE,  // could have it, but its user, or root directory, cannot
  TARGET_MUSL,  // musl's loader refuses a library made for glibc, and the program would not start
  // macOS, see macho_protection.h:
  TARGET_SYSTEM,
  TARGET_HARDENED,
  TARGET_RESTRICTED,
  TARGET_ARM64E,  // would not start either
};

enum { TARGET_PATH = 512 };

// Safe in any child, also of vfork. errno is unchanged. `program` gets the path, cut to TARGET_PATH
// bytes, of the file whose kind it is: `path`, or for a script its interpreter; "" where it cannot
// be opened and is not known to be of a kind.
enum target target_of(const char *path, char *program);

// The program would not start with the library: it is left out of its environment.
bool target_refuses(enum target target);
// Whether this machine may have such programs.
bool target_may_refuse(void);

// In the words of the command's own check, for a blind event; NULL for TARGET_LOADS.
const char *target_why(enum target target);
