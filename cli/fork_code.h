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
