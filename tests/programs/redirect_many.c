// Usage: redirect_many THREADS FORKS HOW. Each of THREADS forks so often and waits for the child; a
// further thread keeps locks of libc busy. Prints what has gone wrong, and what is left behind:
// descriptors, children, memory (test_redirect.py). HOW:
//   exec   the child execs
//   exit   it calls _exit()
//   real   it becomes a process of its own
//   time   it calls localtime_r(), and execs
#include "descriptors.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int forks;
static const char *how;
static atomic_bool done;
static atomic_long wrong;

static long
resident_kib(void)
{
  long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "re");

  if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
    exit(2);
  fclose(file);
  return resident * 4;
}

static void
child(void)
{
  struct tm tm;
  time_t now = 1000000;

  if (strcmp(how, "time") == 0)
    localtime_r(&now, &tm);
  if (strcmp(how, "real") == 0)
    setenv("OTHER", "child's", 1);
  if (strcmp(how, "exec") == 0 || strcmp(how, "time") == 0)
    execl("/bin/true", "true", (char *)NULL);
  _exit(3);
}

__attribute__((noinline)) static pid_t
start(void)
{
  pid_t pid = fork();

  if (pid == 0)
    child();
  return pid;
}

static void *
forker(void *unused)
{
  int expected = strcmp(how, "exec") == 0 || strcmp(how, "time") == 0 ? 0 : 0x300;

  for (int i = 0; i < forks; i++) {
    int status = -1;
    errno = 1000 + i;
    pid_t pid = start();
    if (errno != 1000 + i || pid <= 0 || waitpid(pid, &status, 0) != pid || status != expected)
      wrong++;
  }
  return unused;
}

// Keeps the lock of the time zone busy, and the allocator's.
static void *
worker(void *unused)
{
  struct tm tm;
  time_t now = 0;

  while (!done) {
    localtime_r(&now, &tm);
    free(malloc(1000));
    now++;
  }
  return unused;
}

int
main(int argc, char **argv)
{
  int count = argc > 3 ? atoi(argv[1]) : 0;
  pthread_t threads[64], busy;

  if (count < 1 || count > 64)
    return 1;
  forks = atoi(argv[2]);
  how = argv[3];
  tzset();  // else the first caller of localtime_r() allocates: the child, perhaps
  pthread_create(&busy, NULL, worker, NULL);
  if (start() > 0)
    wait(NULL);
  int open_before = count_descriptors();
  long resident_before = resident_kib();
  for (int i = 0; i < count; i++)
    pthread_create(&threads[i], NULL, forker, NULL);
  for (int i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
  done = true;
  pthread_join(busy, NULL);
  pid_t left = waitpid(-1, NULL, WNOHANG);
  printf("wrong %ld, descriptors %+d, children %s, grown by %s\n", wrong,
         count_descriptors() - open_before, left < 0 && errno == ECHILD ? "none" : "some",
         resident_kib() - resident_before < 4096 ? "less than 4 MiB" : "more than 4 MiB");
  return 0;
}
