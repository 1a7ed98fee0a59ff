// truth: forks=1 threads=2 entry=daemon exit=0
// The parent leaves inside daemon(); the report must come first.

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

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  if (daemon(1, 1) != 0)
    return 1;
  _exit(0);
}
