// usage: late_hang [FORKS]   200 if none is given
// All children of one place but the last end; that of the last fork waits for `lock`, which the
// thread "holder" holds there in hold_late(). At the first fork it stood in hold_early(), and had
// no name of its own.
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t go, held;

static void __attribute__((noinline)) hold_early(void)
{
  while (sem_wait(&go))
    ;
  __asm__ volatile("");  // no tail call
}

static void __attribute__((noinline)) hold_late(void)
{
  pthread_mutex_lock(&lock);
  sem_post(&held);
  pause();
  pthread_mutex_unlock(&lock);
}

static void *
holder(void *unused)
{
  (void)unused;
  hold_early();
  pthread_setname_np(pthread_self(), "holder");
  hold_late();
  return NULL;
}

static void __attribute__((noinline)) wait_in_child(void)
{
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
}

static void __attribute__((noinline)) fork_once(void)
{
  pid_t child = fork();

  if (child == 0) {
    wait_in_child();
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int forks = argc > 1 ? atoi(argv[1]) : 200;

  sem_init(&go, 0, 0);
  sem_init(&held, 0, 0);
  if (pthread_create(&thread, NULL, holder, NULL))
    return EXIT_FAILURE;
  for (volatile int i = 1; i <= forks; i++) {  // one call of fork_once() only
    if (i == forks) {
      sem_post(&go);
      sem_wait(&held);
    }
    fork_once();
  }
  return 0;
}
