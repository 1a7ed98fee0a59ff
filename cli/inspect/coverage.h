// Programs of the tree that run without the library though it could be loaded into them: they were
// executed by a system call of the program's own, or by a program that the library is not in, with
// an environment that does not name it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { COVERAGE_FIRST_NS = 5000000 };  // from the start to the first look

// A file.
struct program {
  dev_t device;
  ino_t inode;
};

// A process and the program that it runs.
struct covered {
  pid_t pid;
  bool below;  // in the tree
  struct program program;
  bool judged;  // with the library, or told
};

struct coverage {
  const char *library;   // the file name of the library
  struct program own;    // the command itself: its helpers do without
  struct covered *list;  // every process of the last look, by pid
  size_t count;
  long long interval_ns;
  void (*found)(void *context, const char *exe);
  void *context;
};

void coverage_init(struct coverage *coverage, const char *library);
// Looks at each new program of the processes below this one, once it has loaded its libraries.
// Returns how long to wait for the next look, in ns: longer, the longer nothing new is found.
long long coverage_tick(struct coverage *coverage);
void coverage_free(struct coverage *coverage);

// What a program's /proc/PID/maps says. It loads what LD_PRELOAD names before the C library, so
// one that has that alone does without.
enum loaded { LOADED_NOT_YET, LOADED_LIBRARY, LOADED_WITHOUT };
enum loaded coverage_of_maps(const char *maps, const char *library);
