// truth: forks=2 threads=2 entry=fork sites=2
// Two callers with the same depth of stack are two sites.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) int
fork_and_wait(void)
{
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}

static __attribute__((noinline)) int
first(void)
{
  return fork_and_wait() + (int)(getpid() == 0);
}

static __attribute__((noinline)) int
second(void)
{
  return fork_and_wait() + (int)(getppid() < 0);
}

int
main(void)
{
  start_thread(idle);
  return first() + second();
}
