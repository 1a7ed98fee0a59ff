// Forks and waits for the child at a depth of its own on the stack: each depth is another site.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

// 0, or 1 if the fork or the wait failed.
static __attribute__((noinline)) int
fork_at_depth(volatile int depth)
{
  if (depth > 0)
    return fork_at_depth(depth - 1) + (depth < 0);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) != child;
}
