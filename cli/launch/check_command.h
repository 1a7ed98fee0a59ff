// Can the library be loaded into COMMAND?
#pragma once

#include <stdbool.h>

struct check {
  char *path;  // the ELF file that will run (an interpreter, for a script); NULL: not found or not
               // ELF
  const char *why;     // why the library will not be loaded into it; NULL: it will
  bool preload_harms;  // LD_PRELOAD would keep it from starting, or make ld.so complain
};

// The caller frees result.path.
struct check check_command(const char *command, const char *library);
