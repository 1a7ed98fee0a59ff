// truth: forks=1 threads=4 entry=fork capture=ptrace exec=0 exit=7 group=idle_threads
// functions=in_cond,in_read,in_sleep,fork_here Three idle threads, one fork whose child runs on.
#include "asleep.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t started;
static int fds[2];

static void *
in_cond(void *unused)
{
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&started);
  for (;;)
    pthread_cond_wait(&condition, &mutex);
  return unused;
}

static void *
in_read(void *unused)
{
  char c;

  pthread_barrier_wait(&started);
  return read(fds[0], &c, 1) == 1 ? unused : &started;
}

static void *
in_sleep(void *unused)
{
  const struct timespec long_time = {1000, 0};

  pthread_barrier_wait(&started);
  nanosleep(&long_time, NULL);
  return unused;
}

static __attribute__((noinline)) int
fork_here(void)
{
  int status;
  pid_t child = fork();

  if (child == 0)
    _exit(7);
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int
main(void)
{
  void *(*const starts[])(void *) = {in_cond, in_read, in_sleep};

  if (pipe(fds) != 0)
    return 1;
  pthread_barrier_init(&started, NULL, 4);
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, starts[i], NULL);
  }
  pthread_barrier_wait(&started);
  until_all_sleep();
  return fork_here() == 7 ? 0 : 1;
}
