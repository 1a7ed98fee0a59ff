// A process that ends while one of its threads forks. Usage: end_meanwhile MICROSECONDS.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static _Atomic int forking;

static long long
now_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void *
end(void *microseconds)
{
  while (!forking)
    continue;
  for (long long then = now_us() + (long)microseconds; now_us() < then;)
    continue;
  _exit(0);
}

int
main(int argc, char **argv)
{
  pthread_t thread;

  pthread_create(&thread, NULL, end, (void *)(argc > 1 ? atol(argv[1]) : 0));
  forking = 1;
  if (fork() == 0)
    _exit(0);
  pause();
}
