// truth: forks=1 threads=2 entry=forkpty exit=0
// libc calls fork() inside forkpty().
#include "idle.h"

#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  int master;
  pid_t child = forkpty(&master, NULL, NULL, NULL);
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
