// Truth: one fork with one other thread, whose child is the first process of a PID namespace: pid 1
// there. 77 where none can be made (test_harm.py).
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
idle(void *unused)
{
  pause();
  return unused;
}

int
main(void)
{
  pthread_t thread;
  int status;

  if (pthread_create(&thread, NULL, idle, NULL) != 0)
    return 1;
  if (unshare(CLONE_NEWPID) != 0)
    return 77;
  pid_t child = fork();
  if (child == 0)
    _exit(getpid() == 1 ? 3 : 4);
  return child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 ? 0 : 1;
}
