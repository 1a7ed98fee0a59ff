// Usage: threads COUNT. Nanoseconds of COUNT times pthread_create and pthread_join.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *
nothing(void *unused)
{
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
  int count = argc > 1 ? atoi(argv[1]) : 0;
  long long begin = now_ns();

  for (int i = 0; i < count; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
      return 1;
  }
  printf("%lld\n", now_ns() - begin);
  return 0;
}
