// truth: forks=1 threads=2 entry=fork exit=0 silent=1
// A program that closes every descriptor.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  for (int fd = 0; fd < 1024; fd++)
    close(fd);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
