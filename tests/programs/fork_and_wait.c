// A library: forks and waits in one call, so that a child of it runs nothing of the caller's.
#include <sys/wait.h>
#include <unistd.h>

void fork_and_wait(void);

void
fork_and_wait(void)
{
  pid_t child = fork();

  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
}
