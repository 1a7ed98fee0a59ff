// truth: forks=1 threads=2 entry=clone exit=3
// clone() without CLONE_VM is a fork.
#include "idle.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int
in_child(void *argument)
{
  _exit(*(int *)argument);
}

int
main(void)
{
  start_thread(idle);
  static char stack[65536] __attribute__((aligned(16)));
  int status = 3;
  pid_t child = clone(in_child, stack + sizeof stack, SIGCHLD, &status);
  return waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 ? 0 : 1;
}
