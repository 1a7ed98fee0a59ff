// Three threads sleep; fork_here() forks two children that run on, or exec the program given.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int sleeping;

static __attribute__((noinline)) void
sleep_here(void)
{
  sleeping++;
  for (;;)
    pause();
}

static void *
sleeper(void *unused)
{
  pthread_setname_np("sleeper");
  sleep_here();
  return unused;
}

static __attribute__((noinline)) void
start_here(void)
{
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, sleeper, NULL);
  }
}

static __attribute__((noinline)) int
fork_here(char **command)
{
  static const struct timespec moment = {0, 100000000};
  int status = 0;
  pid_t child = fork();

  if (child == 0) {
    if (command[0])
      execve(command[0], command, NULL);
    nanosleep(&moment, NULL);
    _exit(7);
  }
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int
main(int argc, char **argv)
{
  (void)argc;
  start_here();
  while (sleeping < 3)
    sched_yield();
  int status = 0;
  for (volatile int i = 0; i < 2; i++)  // one place: the loop is not unrolled
    status = fork_here(argv + 1);
  return status;
}
