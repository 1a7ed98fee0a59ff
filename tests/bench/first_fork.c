// Usage: first_fork THREADS. Nanoseconds of the first fork() of a process with THREADS other
// threads, blocked ten calls deep; then it stays until stdin ends.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 10 };

static pthread_barrier_t started;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int silent[2];

static void
block(int how)
{
  struct timespec hour = {3600, 0};
  char byte;

  switch (how) {
  case 0:
    pthread_mutex_lock(&mutex);
    for (;;)
      pthread_cond_wait(&never, &mutex);
  case 1:
    while (nanosleep(&hour, &hour) != 0)
      continue;
    break;
  default:
    while (read(silent[0], &byte, 1) != 1)
      continue;
  }
}

static __attribute__((noinline)) int
descend(int depth, int how)
{
  volatile char frame[32];

  frame[depth] = (char)depth;
  if (depth == 0)
    block(how);
  else
    depth = descend(depth - 1, how);
  return depth + frame[depth];
}

static void *
thread_main(void *how)
{
  pthread_barrier_wait(&started);
  descend(DEPTH, (int)(long)how);
  return NULL;
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
  int threads = argc > 1 ? atoi(argv[1]) : 1;

  if (pipe(silent) != 0)
    return 1;
  pthread_barrier_init(&started, NULL, (unsigned)threads + 1);
  for (long i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, (void *)(i % 3)) != 0)
      return 1;
  }
  pthread_barrier_wait(&started);
  usleep(150000);  // until all of them block
  long long begin = now_ns();
  pid_t child = fork();
  long long end = now_ns();
  if (child == 0)
    _exit(0);
  if (waitpid(child, NULL, 0) != child)
    return 1;
  printf("%lld\n", end - begin);
  fflush(stdout);
  getchar();
  return 0;
}
