// The library that strange_files.c loads: it forks at two places.
#include <sys/wait.h>
#include <unistd.h>

int
fork_first(void)
{
  pid_t child = fork();
  if (child == 0) {
    usleep(200000);
    _exit(0);
  }
  return waitpid(child, NULL, 0) == child;
}

int
fork_second(void)
{
  int count = 1;
  pid_t child = fork();
  if (child == 0) {
    usleep(200000);
    _exit(0);
  }
  return waitpid(child, NULL, 0) == child ? count : 0;
}
