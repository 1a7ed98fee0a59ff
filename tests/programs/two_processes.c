// Two processes, each a child of a process with one thread, fork at one place. In the first a
// thread holds the lock, which nobody wants; in the second the thread "owner" does, and the child
// waits.
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void *
hold(void *name)
{
  pthread_setname_np(pthread_self(), name);
  pthread_mutex_lock(&lock);
  pthread_barrier_wait(&held);
  for (;;)
    pause();
  return NULL;
}

static void
fork_child(const char *name, int waits)
{
  pthread_t thread;

  pthread_barrier_init(&held, NULL, 2);
  if (pthread_create(&thread, NULL, hold, (void *)name))
    _exit(EXIT_FAILURE);
  pthread_barrier_wait(&held);
  pid_t child = fork();
  if (child == 0) {
    if (waits)
      pthread_mutex_lock(&lock);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  _exit(0);
}

int
main(void)
{
  for (volatile int i = 0; i < 2; i++) {  // one call of fork_child() only
    pid_t process = fork();
    if (process == 0)
      fork_child(i ? "owner" : "other", i);
    waitpid(process, NULL, 0);
  }
  return 0;
}
