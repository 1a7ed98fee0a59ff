// truth: forks=1 threads=2 entry=fork exit=0 silent=1
// A program that closes every descriptor.

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
  for (int fd = 0; fd < 1024; fd++)
    close(fd);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
