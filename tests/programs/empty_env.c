// truth: forks=1 threads=2 entry=fork exit=0
// A program started with an empty environment is still covered.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
  if (argc == 1) {
    char *arguments[] = {argv[0], (char[]){"again"}, NULL};
    char *nothing[] = {NULL};
    execve(argv[0], arguments, nothing);
    return 1;
  }
  start_thread(idle);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
