// truth: forks=2000 threads=9 entry=fork sites=1
// One report for a site, one event for each fork. An argument: so many forks.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
  int forks = argc > 1 ? atoi(argv[1]) : 2000;
  pthread_t threads[8];

  pthread_barrier_init(&started, NULL, 9);
  for (int i = 0; i < 8; i++)
    pthread_create(&threads[i], NULL, idle, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < forks; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    if (waitpid(child, NULL, 0) != child)
      return 1;
  }
  return 0;
}
