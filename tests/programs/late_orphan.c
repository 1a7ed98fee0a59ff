// The third fork of a place comes from a process that ends at once: its child waits for a semaphore
// that a thread was to post.
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t never;

static void *
idle(void *unused)
{
  pause();
  return unused;
}

static void __attribute__((noinline)) fork_once(int last)
{
  pid_t child = fork();

  if (child == 0) {
    while (last && sem_wait(&never))
      continue;
    _exit(0);
  }
  if (last)
    _exit(0);
  waitpid(child, NULL, 0);
}

int
main(void)
{
  pthread_t thread;

  sem_init(&never, 0, 0);
  if (pthread_create(&thread, NULL, idle, NULL))
    return EXIT_FAILURE;
  for (volatile int i = 1; i <= 3; i++)
    fork_once(i == 3);
  return 0;
}
