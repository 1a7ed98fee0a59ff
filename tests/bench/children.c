// Children of a process with a thread that live on. Arguments: how many; "pause", "read" (from a
// pipe of the parent's), or "stuck" (one for a mutex; it prints the time just before, in ns of
// CLOCK_REALTIME).
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void *
hold(void *unused)
{
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

static _Noreturn void
live_on(const char *how, const int *ends)
{
  struct timespec now;
  char byte;

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (strcmp(how, "read") == 0) {
    (void)!read(ends[0], &byte, 1);
  } else if (strcmp(how, "stuck") == 0) {
    usleep(300000);
    clock_gettime(CLOCK_REALTIME, &now);
    dprintf(1, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    pthread_mutex_lock(&mutex);
  } else {
    pause();
  }
  _exit(0);
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int ends[2], count = argc > 1 ? atoi(argv[1]) : 1;

  if (argc < 3 || pipe(ends))
    return 2;
  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&thread, NULL, hold, NULL);
  pthread_barrier_wait(&held);
  for (int i = 0; i < count; i++)
    if (fork() == 0)
      live_on(argv[2], ends);
  if (strcmp(argv[2], "stuck") != 0)
    puts("ready");
  fflush(stdout);
  while (wait(NULL) > 0)
    ;
  return 0;
}
