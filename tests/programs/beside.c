// A lock of the kind named is held at the fork; one thread of the child waits for it, and another
// one does something else (test_beside.py). Exit status 0 if the wait ends.
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 1500000 };  // microseconds: longer than --stuck-after

static const char *kind, *other, *order = "";
static pthread_mutex_t mutex;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t of_never = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static _Atomic int word = 2, happened;
static pthread_barrier_t held;
static volatile sig_atomic_t asked;
static sigset_t asks;

static void
init(void)
{
  pthread_mutexattr_t attributes;

  pthread_mutexattr_init(&attributes);
  if (strcmp(kind, "recursive") == 0)
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  else if (strcmp(kind, "errorcheck") == 0)
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  else if (strcmp(kind, "robust") == 0)
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &attributes);
  sem_init(&semaphore, 0, 0);
  pthread_barrier_init(&held, NULL, 2);
}

static void *
holder(void *unused)
{
  if (strcmp(order, "heir") != 0)
    pthread_mutex_lock(&mutex);
  pthread_rwlock_wrlock(&rwlock);
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

static __attribute__((noinline)) void
wait_for_lock(void)
{
  if (strcmp(kind, "semaphore") == 0) {
    while (sem_wait(&semaphore) != 0 && errno == EINTR)
      ;
  } else if (strcmp(kind, "rwlock") == 0) {
    pthread_rwlock_rdlock(&rwlock);
  } else if (strcmp(kind, "futex") == 0) {
    while (word == 2)
      syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
  } else if (strcmp(kind, "condition") == 0) {
    pthread_mutex_lock(&of_never);
    while (!happened)
      pthread_cond_wait(&never, &of_never);
  } else {
    pthread_mutex_lock(&mutex);
  }
}

static void
release(void)
{
  if (strcmp(kind, "semaphore") == 0) {
    sem_post(&semaphore);
  } else if (strcmp(kind, "condition") == 0) {
    pthread_mutex_lock(&of_never);
    happened = 1;
    pthread_cond_signal(&never);
    pthread_mutex_unlock(&of_never);
  } else {
    pthread_mutex_unlock(&mutex);
  }
}

// Takes the lock itself, after the fork.
static __attribute__((noinline)) void
hold(sem_t *lock)
{
  sem_t *volatile kept = lock;

  sem_wait(lock);
  usleep(LONG);
  sem_post(kept);
}

static void
ask(int number)
{
  (void)number;
  asked = 1;
}

static void
do_other(void)
{
  struct timespec moment = {0, 50000000};
  sigset_t none;
  int number;

  sigemptyset(&none);
  if (strcmp(other, "releases") == 0) {
    usleep(LONG);
    release();
  }
  if (strcmp(other, "holds") == 0)
    hold(&semaphore);
  if (strcmp(other, "computes") == 0) {
    time_t end = time(NULL) + 3;
    while (time(NULL) < end)
      ;
    release();
  }
  if (strcmp(other, "obeys") == 0) {  // the test, when it has seen what it waits for
    sigwait(&asks, &number);
    release();
  }
  if (strcmp(other, "asked") == 0) {
    while (!asked)
      sigsuspend(&none);
    sem_post(&semaphore);
  }
  if (strcmp(other, "pauses") == 0)
    pause();
  if (strcmp(other, "polls") == 0)
    poll(NULL, 0, -1);
  if (strcmp(other, "idles") == 0) {
    pthread_mutex_lock(&of_never);
    pthread_cond_wait(&never, &of_never);
  }
  for (;;)
    nanosleep(&moment, NULL);
}

static void *
wait_in_thread(void *unused)
{
  wait_for_lock();
  _exit(0);
  return unused;
}

static void *
other_in_thread(void *unused)
{
  do_other();
  return unused;
}

static void
be_child(void)
{
  pthread_t thread;

  sigemptyset(&asks);
  sigaddset(&asks, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &asks, NULL);  // only the thread that waits for it takes it
  if (strcmp(other, "asked") == 0)
    signal(SIGUSR1, ask);
  if (strcmp(other, "idles") == 0) {  // a pool whose work is done by the first thread
    pthread_create(&thread, NULL, other_in_thread, NULL);
    for (int i = 0; i < 40; i++)
      usleep(50000);
  } else if (*order) {
    pthread_create(&thread, NULL, wait_in_thread, NULL);
    do_other();
  } else {
    if (strcmp(other, "holds") == 0)
      sem_post(&semaphore);
    pthread_create(&thread, NULL, other_in_thread, NULL);
    if (strcmp(other, "holds") == 0)
      usleep(50000);
    wait_for_lock();
  }
  _exit(0);
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int status;

  kind = argc > 1 ? argv[1] : "normal";
  other = argc > 2 ? argv[2] : "sleeps";
  order = argc > 3 ? argv[3] : "";
  init();
  pthread_create(&thread, NULL, holder, NULL);
  pthread_barrier_wait(&held);
  if (strcmp(order, "heir") == 0)
    pthread_mutex_lock(&mutex);  // as a fork handler does
  pid_t child = fork();
  if (child == 0)
    be_child();
  if (strcmp(other, "asked") == 0) {
    usleep(LONG);
    kill(child, SIGUSR1);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
