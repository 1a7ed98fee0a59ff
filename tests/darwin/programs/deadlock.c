// A thread holds a mutex that the child of a fork waits for.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int held;

static void *
holder(void *unused)
{
  pthread_setname_np("holder");
  pthread_mutex_lock(&queue_lock);
  held = 1;
  for (;;)
    pause();
  return unused;
}

static __attribute__((noinline)) void
push(void)
{
  pthread_mutex_lock(&queue_lock);
}

int
main(void)
{
  pthread_t thread;

  pthread_create(&thread, NULL, holder, NULL);
  while (!held)
    sched_yield();
  pid_t child = fork();
  if (child == 0) {
    push();
    _exit(0);
  }
  waitpid(child, NULL, 0);
  return 0;
}
