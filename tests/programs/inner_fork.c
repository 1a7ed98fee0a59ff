// Truth: one fork of a process with one other thread, which holds a lock that the child waits for.
// The process is the first of a PID namespace that the program makes, or with "plain" where it is;
// with "twice" there are two such processes, which fork at once. 77 where no namespace can be made
// (test_namespace.py). Exit status 0 when the child has ended.
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held, *ready;

static void *
holder(void *unused)
{
  pthread_mutex_lock(&queue_lock);
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

static __attribute__((noinline)) void
wait_in_child(void)
{
  pthread_mutex_lock(&queue_lock);
}

static int
fork_beside_a_thread(void)
{
  pthread_t thread;

  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&thread, NULL, holder, NULL);
  pthread_barrier_wait(&held);
  if (ready)
    pthread_barrier_wait(ready);
  pid_t child = fork();
  if (child == 0) {
    if (write(1, "forked\n", 7) == 7)
      wait_in_child();
    _exit(0);
  }
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}

static void
share_barrier(void)
{
  pthread_barrierattr_t shared;

  pthread_barrierattr_init(&shared);
  pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  ready = mmap(NULL, sizeof *ready, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrier_init(ready, &shared, 2);
}

int
main(int argc, char **argv)
{
  bool twice = argc > 1 && strcmp(argv[1], "twice") == 0;
  int status = 0, all = 0;

  if (argc > 1 && strcmp(argv[1], "plain") == 0)
    return fork_beside_a_thread();
  if (twice)
    share_barrier();
  for (int i = 0; i < 1 + twice; i++) {
    if (twice && fork() != 0)
      continue;
    if (unshare(CLONE_NEWPID) != 0)
      _exit(77);
    if (fork() == 0)
      _exit(fork_beside_a_thread());
    wait(&status);
    _exit(WEXITSTATUS(status));
  }
  while (wait(&status) > 0)
    all |= WEXITSTATUS(status);
  return all;
}
