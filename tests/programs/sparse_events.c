// Makes the file of events 1 TiB long, of which nothing is there, between two forks of its own.
#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static void
fork_once(void)
{
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
}

int
main(void)
{
  pthread_t thread;
  const char *events = getenv("FORKHOUND_EVENTS");
  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  for (volatile int i = 0; i < 2; i++) {
    fork_once();
    if (i == 0 && events && truncate(events, 1L << 40))
      return 1;
  }
  return 0;
}
