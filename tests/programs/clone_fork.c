// truth: forks=1 threads=2 entry=clone exit=3
// clone() without CLONE_VM is a fork.
#include <sched.h>
#include <signal.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t started;

static void *
idle(void *unused)
{
  pthread_barrier_wait(&started);
  pause();
  return unused;
}

static int
in_child(void *argument)
{
  _exit(*(int *)argument);
}

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  static char stack[65536] __attribute__((aligned(16)));
  int status = 3;
  pid_t child = clone(in_child, stack + sizeof stack, SIGCHLD, &status);
  return waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 ? 0 : 1;
}
