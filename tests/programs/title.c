// truth: forks=1 threads=2 entry=fork exit=0
// A name with spaces and parentheses must not disturb the count.
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

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  prctl(PR_SET_NAME, "a) b (c 20");
  pid_t child = fork();
  if (child == 0)
    exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
