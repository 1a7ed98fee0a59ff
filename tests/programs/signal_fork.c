// truth: forks=50 threads=2 entry=fork
// fork() in a signal handler.
#include "idle.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t good;

static void
on_signal(int number)
{
  (void)number;
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  if (waitpid(child, NULL, 0) == child)
    good++;
}

int
main(void)
{
  start_thread(idle);
  signal(SIGUSR1, on_signal);
  for (int i = 0; i < 50; i++)
    raise(SIGUSR1);
  return good == 50 ? 0 : 1;
}
