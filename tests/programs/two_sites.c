// truth: forks=2 threads=2 entry=fork sites=2
// Two callers with the same depth of stack are two sites.

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

static __attribute__((noinline)) int
fork_and_wait(void)
{
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}

static __attribute__((noinline)) int
first(void)
{
  return fork_and_wait() + (int)(getpid() == 0);
}

static __attribute__((noinline)) int
second(void)
{
  return fork_and_wait() + (int)(getppid() < 0);
}

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  return first() + second();
}
