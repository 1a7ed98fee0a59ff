// truth: forks=1 threads=2 entry=fork
// A grandchild keeps the id of the fork.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  int fds[2];
  char c;
  if (pipe(fds) != 0)
    return 1;
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0)
      _exit(9);
    _exit(8);
  }
  waitpid(child, NULL, 0);
  close(fds[1]);
  return read(fds[0], &c, 1) == 0 ? 0 : 1;
}
