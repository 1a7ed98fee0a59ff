// A lock of the kind named, at an unusual place, is held by a thread at the fork; the child waits
// for it for ever (test_places.py). Prints the address of the lock's object.
#include "asleep.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

struct locks {
  char before[64];
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  pthread_cond_t condition;
  pthread_barrier_t barrier;
  mtx_t c11;
};

static struct locks of_program;
static __thread struct locks of_thread;
static struct locks *locks = &of_program;
static const char *kind;
static pthread_barrier_t held;

static int
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static void
init(const char *place)
{
  pthread_mutexattr_t mutex;
  pthread_rwlockattr_t rwlock;

  if (strcmp(place, "heap") == 0)
    locks = calloc(1, sizeof *locks);
  else if (strcmp(place, "mapped") == 0)
    locks = mmap(NULL, sizeof *locks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  else if (strcmp(place, "thread") == 0)
    locks = &of_thread;
  pthread_mutexattr_init(&mutex);
  if (is("inherits"))
    pthread_mutexattr_setprotocol(&mutex, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&locks->mutex, &mutex);
  pthread_rwlockattr_init(&rwlock);
  if (is("rwlock_preferring"))
    pthread_rwlockattr_setkind_np(&rwlock, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&locks->rwlock, &rwlock);
  pthread_cond_init(&locks->condition, NULL);
  pthread_barrier_init(&locks->barrier, NULL, 2);
  mtx_init(&locks->c11, mtx_plain);
  pthread_barrier_init(&held, NULL, 2);
}

static void *
hold(void *unused)
{
  if (is("rwlock_read") || is("rwlock_write") || is("rwlock_read_timed") ||
      is("rwlock_write_timed"))
    pthread_rwlock_wrlock(&locks->rwlock);
  else if (is("rwlock_preferring"))
    pthread_rwlock_rdlock(&locks->rwlock);
  else if (is("c11"))
    mtx_lock(&locks->c11);
  else if (!is("condition"))
    pthread_mutex_lock(&locks->mutex);
  pthread_barrier_wait(&held);
  if (is("inherits"))
    return unused;
  pause();
  return unused;
}

static void *
wait_to_write(void *unused)
{
  pthread_rwlock_wrlock(&locks->rwlock);
  return unused;
}

static void *
idle(void *unused)
{
  pause();
  return unused;
}

static struct timespec
soon(void)
{
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_nsec += 100000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static __attribute__((noinline)) void *
wait_in_child(void)
{
  struct timespec limit;

  if (is("rwlock_write"))
    pthread_rwlock_wrlock(&locks->rwlock);
  else if (is("rwlock_read") || is("rwlock_preferring"))
    pthread_rwlock_rdlock(&locks->rwlock);
  else if (is("c11"))
    mtx_lock(&locks->c11);
  else if (is("barrier"))
    pthread_barrier_wait(&locks->barrier);
  while (is("mutex_timed")) {
    limit = soon();
    pthread_mutex_clocklock(&locks->mutex, CLOCK_MONOTONIC, &limit);
  }
  while (is("rwlock_read_timed")) {
    limit = soon();
    pthread_rwlock_clockrdlock(&locks->rwlock, CLOCK_MONOTONIC, &limit);
  }
  while (is("rwlock_write_timed")) {
    limit = soon();
    pthread_rwlock_clockwrlock(&locks->rwlock, CLOCK_MONOTONIC, &limit);
  }
  pthread_mutex_lock(&locks->mutex);
  if (is("condition"))
    pthread_cond_wait(&locks->condition, &locks->mutex);
  return NULL;
}

static void *
object(void)
{
  return strncmp(kind, "rwlock", 6) == 0 ? (void *)&locks->rwlock
         : is("condition")               ? (void *)&locks->condition
         : is("barrier")                 ? (void *)&locks->barrier
         : is("c11")                     ? (void *)&locks->c11
                                         : (void *)&locks->mutex;
}

int
main(int argc, char **argv)
{
  pthread_t thread, other;
  int status;

  kind = argc > 1 ? argv[1] : "mutex";
  init(argc > 2 ? argv[2] : "");
  printf("%p\n", object());
  fflush(stdout);
  pthread_create(&thread, NULL, hold, NULL);
  pthread_barrier_wait(&held);
  if (is("rwlock_preferring")) {
    pthread_create(&other, NULL, wait_to_write, NULL);
    until_all_sleep();
  }
  if (is("inherits")) {
    pthread_join(thread, NULL);
    pthread_create(&other, NULL, idle, NULL);
  }
  pid_t child = fork();
  if (child == 0) {
    wait_in_child();
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
