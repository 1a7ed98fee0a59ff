// Usage: spawns MIB COUNT HOW. With MIB of memory in pages of 4 KiB and an idle thread, COUNT times
// fork() and exec, or posix_spawn() where HOW is "spawn". Medians: nanoseconds until the call has
// returned, and until the child has ended.
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000 };

extern char **environ;

static pthread_barrier_t started;
static char path[] = "/bin/true", *arguments[] = {path, NULL};

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

__attribute__((noinline)) static pid_t
start(int spawns)
{
  pid_t child;

  if (spawns)
    return posix_spawn(&child, path, NULL, NULL, arguments, environ) == 0 ? child : -1;
  child = fork();
  if (child == 0) {
    execve(path, arguments, environ);
    _exit(127);
  }
  return child;
}

static int
less(const void *a, const void *b)
{
  long long x = *(const long long *)a, y = *(const long long *)b;

  return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
  static long long called[MOST], ended[MOST];
  size_t size = (size_t)(argc > 3 ? atol(argv[1]) : 0) << 20;
  int count = argc > 3 ? atoi(argv[2]) : 0, status;
  pthread_t thread;

  if (count < 1 || count > MOST)
    return 2;
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 1;
  for (size_t i = 0; i < size; i += 4096)
    memory[i] = 1;
  pthread_barrier_init(&started, NULL, 2);
  if (pthread_create(&thread, NULL, idle, NULL) != 0)
    return 1;
  pthread_barrier_wait(&started);
  for (int i = -1; i < count; i++) {  // the first one is to warm up
    long long begin = now_ns();
    pid_t child = start(strcmp(argv[3], "spawn") == 0);
    long long after = now_ns();
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      return 1;
    if (i < 0)
      continue;
    called[i] = after - begin;
    ended[i] = now_ns() - begin;
  }
  qsort(called, (size_t)count, sizeof *called, less);
  qsort(ended, (size_t)count, sizeof *ended, less);
  printf("%lld %lld\n", called[count / 2], ended[count / 2]);
  return 0;
}
