// truth: forks=1 threads=2 entry=fork exec=1
// A fork whose child execs at once is a count, not a warning.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
  }
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
