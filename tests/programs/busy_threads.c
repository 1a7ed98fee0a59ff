// truth: forks=20 threads=5 entry=fork sites=1
// Threads whose stacks change all the time: only capture=exact gets them as the child inherits
// them.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t started;

static __attribute__((noinline)) unsigned
dig(unsigned depth)
{
  volatile unsigned frame[8] = {depth};

  return depth == 0 ? frame[0] : dig(depth - 1) + frame[0];
}

static void *
busy(void *unused)
{
  pthread_barrier_wait(&started);
  for (unsigned i = 0;; i++)
    dig(i % 50);
  return unused;
}

int
main(void)
{
  pthread_t thread;
  int bad = 0;

  pthread_barrier_init(&started, NULL, 5);
  for (int i = 0; i < 4; i++)
    pthread_create(&thread, NULL, busy, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    bad += waitpid(child, NULL, 0) != child;
  }
  return bad;
}
