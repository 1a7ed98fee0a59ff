// A thread at the instant of a fork, as the library takes it and as the command finds it in the
// memory of the child.
#pragma once

#include "registers.h"

#include <stddef.h>
#include <sys/types.h>

enum snapshot_how {
  SNAPSHOT_NONE,     // the thread is there, its stack could not be had
  SNAPSHOT_STOPPED,  // stopped: all registers, exact
  SNAPSHOT_PROC,     // stack and instruction pointer only, read while it slept
};

struct snapshot_thread {
  pid_t tid;  // 0 ends a list of them
  enum snapshot_how how;
  char state;  // R or S
  struct registers registers;
  uint64_t thread_pointer;  // 0: not known
  uint64_t copy_at;         // address of copy[0]
  size_t copy_length;
  unsigned char *copy;
};
