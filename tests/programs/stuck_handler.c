// The prepare handler of the program waits for a lock that another thread holds: for ever, as that
// thread waits for the one that forks; with "slow" only for half a second (test_suspect.py).
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;
static pthread_t forker;
static int slow;

static void
before_fork(void)
{
  pthread_mutex_lock(&lock);
}

static void
after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

static void *
hold(void *unused)
{
  pthread_mutex_lock(&lock);
  pthread_barrier_wait(&held);
  if (slow)
    usleep(500000);
  else
    pthread_join(forker, NULL);
  pthread_mutex_unlock(&lock);
  return unused;
}

static void *
fork_child(void *unused)
{
  pthread_barrier_wait(&held);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t holder;

  slow = argc > 1 && strcmp(argv[1], "slow") == 0;
  pthread_atfork(before_fork, after_fork, after_fork);
  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&forker, NULL, fork_child, NULL);
  pthread_create(&holder, NULL, hold, NULL);
  pthread_join(holder, NULL);
  return 0;
}
