// A lock of the kind named is held by a thread at the fork; the child waits for it
// (test_deadlock.py). With a second argument the wait does end, in the way named: the signals of
// "handler", "alarm" and "beside" are sent by the test, when it has seen what it waits for.
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  pthread_cond_t condition;
  pthread_barrier_t barrier;
  sem_t semaphore;
  int word;
} private_locks, *locks = &private_locks;

static pthread_mutex_t of_child = PTHREAD_MUTEX_INITIALIZER;
static const char *kind, *ending = "";
static pthread_barrier_t held;

static int
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static int
ends(const char *how)
{
  return strcmp(ending, how) == 0;
}

static void
init(void)
{
  pthread_mutexattr_t attributes;

  pthread_mutexattr_init(&attributes);
  if (is("recursive"))
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  else if (is("errorcheck"))
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  else if (is("adaptive"))
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
  else if (is("robust"))
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (is("pshared") || ends("shared"))
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&locks->mutex, &attributes);
  pthread_rwlock_init(&locks->rwlock, NULL);
  pthread_cond_init(&locks->condition, NULL);
  pthread_barrier_init(&locks->barrier, NULL, 2);
  sem_init(&locks->semaphore, ends("shared"), 0);
}

static void *
holder(void *unused)
{
  if (is("rwlock_write") || is("rwlock_read"))
    pthread_rwlock_wrlock(&locks->rwlock);
  else if (is("rwlock_by_reader"))
    pthread_rwlock_rdlock(&locks->rwlock);
  else if (!is("condition"))
    pthread_mutex_lock(&locks->mutex);
  pthread_barrier_wait(&held);
  if (ends("shared")) {
    usleep(2500000);
    if (is("semaphore"))
      sem_post(&locks->semaphore);
    else
      pthread_mutex_unlock(&locks->mutex);
  }
  pause();
  return unused;
}

static void
post(int number)
{
  (void)number;
  sem_post(&locks->semaphore);
}

static __attribute__((noinline)) void
wait_in_child(void)
{
  struct timespec limit;

  if (is("rwlock_write") || is("rwlock_by_reader")) {
    pthread_rwlock_wrlock(&locks->rwlock);
  } else if (is("rwlock_read")) {
    pthread_rwlock_rdlock(&locks->rwlock);
  } else if (is("condition")) {
    pthread_mutex_lock(&locks->mutex);
    pthread_cond_wait(&locks->condition, &locks->mutex);
  } else if (is("barrier")) {
    pthread_barrier_wait(&locks->barrier);
  } else if (is("semaphore")) {
    while (sem_wait(&locks->semaphore) != 0 && errno == EINTR)
      ;
  } else if (is("futex")) {
    syscall(SYS_futex, &locks->word, FUTEX_WAIT, 0, NULL, NULL, 0);
  } else if (is("timed")) {
    do {
      clock_gettime(CLOCK_REALTIME, &limit);
      limit.tv_nsec += 300000000;
      limit.tv_sec += limit.tv_nsec / 1000000000;
      limit.tv_nsec %= 1000000000;
    } while (pthread_mutex_timedlock(&locks->mutex, &limit) != 0);
  } else if (is("pipe")) {
    char c;
    int fds[2];
    if (pipe(fds) == 0)
      (void)!read(fds[0], &c, 1);
  } else if (is("twice")) {
    pthread_mutex_lock(&of_child);
    pthread_mutex_lock(&of_child);
  } else if (is("poll")) {
    poll(NULL, 0, -1);
  } else if (is("pause")) {
    pause();
  } else {
    pthread_mutex_lock(&locks->mutex);
  }
}

static void *
wait_in_thread(void *unused)
{
  wait_in_child();
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int status;

  kind = argc > 1 ? argv[1] : "normal";
  ending = argc > 2 ? argv[2] : "";
  if (ends("shared"))
    locks = mmap(NULL, sizeof *locks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  init();
  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&thread, NULL, holder, NULL);
  pthread_barrier_wait(&held);
  pid_t child = fork();
  if (child == 0) {
    if (ends("grandchild") && (setsid() < 0 || fork() > 0))
      _exit(0);
    if (ends("handler"))
      signal(SIGUSR1, post);
    if (ends("alarm")) {
      signal(SIGALRM, post);
      alarm(3600);
    }
    if (ends("joined") || ends("beside") || ends("alone"))
      pthread_create(&thread, NULL, wait_in_thread, NULL);
    if (ends("beside")) {
      signal(SIGUSR1, post);
      while (sem_wait(&locks->semaphore) != 0 && errno == EINTR)
        ;
    } else if (ends("alone")) {
      pthread_exit(NULL);
    } else if (ends("joined")) {
      pthread_join(thread, NULL);
    } else {
      wait_in_child();
    }
    _exit(0);
  }
  if (ends("left"))
    return 0;
  if (ends("killed")) {
    usleep(300000);
    kill(child, SIGTERM);
  }
  waitpid(child, &status, 0);
  if (ends("grandchild"))
    for (int i = 0; i < 30; i++)
      usleep(100000);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
