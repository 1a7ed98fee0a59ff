// Usage: touched MEGABYTES COUNT. Nanoseconds of the call of fork(), and from there to the end of
// the child, which execs `true`: medians of COUNT, from one place of a process with another thread
// and so much memory in 4 KiB pages.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000 };

static void *
idle(void *unused)
{
  for (;;)
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

static int
compare(const void *a, const void *b)
{
  long long x = *(const long long *)a, y = *(const long long *)b;

  return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
  size_t bytes = argc > 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
  int count = argc > 2 ? atoi(argv[2]) : 0;
  static long long calls[MOST], wholes[MOST];
  pthread_t thread;

  if (bytes == 0 || count < 1 || count > MOST)
    return 2;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || pthread_create(&thread, NULL, idle, NULL) != 0)
    return 1;
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  memset(memory, 1, bytes);
  for (int i = 0; i < count; i++) {
    char *arguments[] = {"true", NULL}, *environment[] = {NULL};
    long long begin = now_ns();
    pid_t child = fork();
    if (child == 0) {
      execve("/bin/true", arguments, environment);
      _exit(127);
    }
    calls[i] = now_ns() - begin;
    if (waitpid(child, NULL, 0) != child)
      return 1;
    wholes[i] = now_ns() - begin;
  }
  qsort(calls, (size_t)count, sizeof calls[0], compare);
  qsort(wholes, (size_t)count, sizeof wholes[0], compare);
  printf("%lld %lld\n", calls[count / 2], wholes[count / 2]);
  return 0;
}
