// truth: forks=1 threads=2 entry=fork exit=0
// A program started with an empty environment is still covered.

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
main(int argc, char **argv)
{
  pthread_t thread;

  pthread_barrier_init(&started, NULL, 2);
  if (argc == 1) {
    char *arguments[] = {argv[0], (char[]){"again"}, NULL};
    char *nothing[] = {NULL};
    execve(argv[0], arguments, nothing);
    return 1;
  }
  pthread_create(&thread, NULL, idle, NULL);
  pthread_barrier_wait(&started);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
