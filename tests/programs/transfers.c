// truth: forks=40 threads=3 entry=fork
// A blocking write() of another thread transfers all it was given, whenever a fork stops the
// thread.
#include "depth.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

static pthread_barrier_t started;
static _Atomic int bad, writes;
static int fds[2];

static void *
writer(void *unused)
{
  char *block = calloc(1, BLOCK);
  sigset_t all;

  // The SIGCHLD of a child that ends before fork() has unblocked signals would cut a write short.
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  pthread_barrier_wait(&started);
  for (;; writes++)
    bad += write(fds[1], block, BLOCK) != BLOCK;
  return unused;
}

static void *
reader(void *unused)
{
  char *block = calloc(1, BLOCK);

  pthread_barrier_wait(&started);
  while (read(fds[0], block, BLOCK) > 0)
    ;
  return unused;
}

int
main(void)
{
  pthread_t threads[2];

  if (pipe(fds) != 0)
    return 1;
  pthread_barrier_init(&started, NULL, 3);
  pthread_create(&threads[0], NULL, writer, NULL);
  pthread_create(&threads[1], NULL, reader, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < 40; i++) {
    for (int before = writes; writes == before;)
      ;
    bad += fork_at_depth(i);
  }
  return bad > 0;
}
