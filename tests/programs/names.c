// truth: forks=1 threads=2 entry=fork exit=0 name=1
// A thread named with a terminal escape and quotes.
#include <sys/prctl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t started;

static void *
idle(void *unused)
{
  pthread_barrier_wait(&started);
  pause();
  return unused;
}

static void *
named(void *unused)
{
  prctl(PR_SET_NAME, "\x1b[31m\"quo\\te");
  return idle(unused);
}

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, named, NULL);
  pthread_barrier_wait(&started);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
