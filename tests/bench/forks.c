// Usage: forks COUNT THREADS. Nanoseconds of COUNT times fork and wait, from one place, with
// THREADS idle threads.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t started;

static void *
idle(void *unused)
{
  pthread_barrier_wait(&started);
  pause();
  return unused;
}

static long long
now_ns(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int
main(int argc, char **argv)
{
  int count = argc > 2 ? atoi(argv[1]) : 0;
  int threads = argc > 2 ? atoi(argv[2]) : 0;

  pthread_barrier_init(&started, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, idle, NULL) != 0)
      return 1;
  }
  pthread_barrier_wait(&started);
  long long begin = now_ns();
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    if (waitpid(child, NULL, 0) != child)
      return 1;
  }
  printf("%lld\n", now_ns() - begin);
  return 0;
}
