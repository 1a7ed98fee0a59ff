// truth: forks=1 threads=1 threads_at_entry=2 gone=1
// A thread that the program's own prepare handler stops is no hazard.
#include "idle.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_t stopped;

static void
stop_thread(void)
{
  pthread_cancel(stopped);
  pthread_join(stopped, NULL);
}

int
main(void)
{
  pthread_t thread = start_thread(idle);
  stopped = thread;
  pthread_atfork(stop_thread, NULL, NULL);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
