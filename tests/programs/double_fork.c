// truth: forks=1 threads=2 entry=fork
// A grandchild keeps the id of the fork.

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

int
main(void)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  int fds[2];
  char c;
  if (pipe(fds) != 0)
    return 1;
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0)
      _exit(9);
    _exit(8);
  }
  waitpid(child, NULL, 0);
  close(fds[1]);
  return read(fds[0], &c, 1) == 0 ? 0 : 1;
}
