// Where the code of fork() lies in a process.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fork_code {
  uint64_t start, end;
};

// False: the process has no C library that exports fork(), or cannot be read.
bool fork_code_find(pid_t pid, struct fork_code *code);

// In a C library on disk, as offsets from where the file begins in memory: a shared library is
// linked at 0. For the symbolizer, which reads it.
bool fork_code_in_file(const char *path, struct fork_code *code);
