// truth: forks=1 threads=2 entry=fork exit=0 name=1
// A thread named with a terminal escape and quotes.
#include "idle.h"

#include <sys/prctl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
named(void *unused)
{
  prctl(PR_SET_NAME, "\x1b[31m\"quo\\te");
  return idle(unused);
}

int
main(void)
{
  start_thread(named);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
