// usage: late_hang [FORKS [leave]]   200 if none is given
// All children of one place but the last end; that of the last fork waits for `lock`, which the
// thread "holder" holds there in hold_late(). At the first fork it stood in hold_early(), and had
// no name of its own. With "leave" it goes on to hold_no_more() in the parent.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t go, held, leave, left;
static pid_t holder_tid;

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
  while (sem_wait(&leave))
    ;
  pthread_mutex_unlock(&lock);
}

static void __attribute__((noinline)) hold_no_more(void)
{
  sem_post(&left);
  pause();
  __asm__ volatile("");
}

static void *
holder(void *unused)
{
  (void)unused;
  hold_early();
  pthread_setname_np(pthread_self(), "holder");
  holder_tid = gettid();
  hold_late();
  hold_no_more();
  return NULL;
}

static void __attribute__((noinline)) wait_in_child(void)
{
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
}

// Until the holder sleeps, and is where it stays.
static void
await_holder(void)
{
  char path[64], text[64];

  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)holder_tid);
  do {
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
      _exit(1);
    fclose(file);
  } while (strncmp(text, "202 ", 4) != 0);  // futex
}

static void __attribute__((noinline)) fork_once(int last, int leaves)
{
  pid_t child = fork();

  if (child == 0) {
    wait_in_child();
    _exit(0);
  }
  if (last && leaves) {
    sem_post(&leave);
    sem_wait(&left);
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
  sem_init(&leave, 0, 0);
  sem_init(&left, 0, 0);
  if (pthread_create(&thread, NULL, holder, NULL))
    return EXIT_FAILURE;
  for (volatile int i = 1; i <= forks; i++) {  // one call of fork_once() only
    if (i == forks) {
      sem_post(&go);
      sem_wait(&held);
      await_holder();
    }
    fork_once(i == forks, argc > 2);
  }
  return 0;
}
