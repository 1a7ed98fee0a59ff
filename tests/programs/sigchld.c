// truth: forks=40 threads=5 entry=fork
// SIGCHLD comes for the children of the program alone, in the program alone.
#include "depth.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t started;
static pid_t self;
static _Atomic int ended, stopped, elsewhere;

static void
on_child(int number, siginfo_t *info, void *unused)
{
  (void)number;
  (void)unused;
  if (syscall(SYS_getpid) != self)
    elsewhere++;
  else if (info->si_code == CLD_EXITED)
    ended++;
  else
    stopped++;
}

static void *
idle(void *unused)
{
  pthread_barrier_wait(&started);
  for (;;)
    pause();
  return unused;
}

int
main(void)
{
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  pthread_t thread;
  int bad = 0;

  self = getpid();
  sigaction(SIGCHLD, &action, NULL);
  pthread_barrier_init(&started, NULL, 5);
  for (int i = 0; i < 4; i++)
    pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < 40; i++)
    bad += fork_at_depth(i);
  return bad || elsewhere || stopped || ended < 1;
}
