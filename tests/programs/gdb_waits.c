// Not by itself: 50 threads in ten kinds of waits, a fork, and a stop for gdb to look
// (test_stacks.py).
#include "asleep.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static int quiet[2], word;
static const struct timespec long_time = {1000, 0};

static void
wait_somehow(int how)
{
  struct pollfd polled = {quiet[0], POLLIN, 0};
  struct epoll_event event;
  char c;

  switch (how) {
  case 0: pthread_cond_wait(&condition, &mutex); break;
  case 1: poll(&polled, 1, -1); break;
  case 2: epoll_wait(epoll_create1(0), &event, 1, -1); break;
  case 3: nanosleep(&long_time, NULL); break;
  case 4: (void)!read(quiet[0], &c, 1); break;
  case 5: sem_wait(&semaphore); break;
  case 6: syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); break;
  case 7: pthread_mutex_lock(&held); break;
  case 8: pause(); break;
  default: select(0, NULL, NULL, NULL, NULL); break;
  }
}

static __attribute__((noinline)) int
dig(int depth, int how)
{
  volatile int frame[4] = {depth};

  if (depth > 0)
    return dig(depth - 1, how) + frame[0];
  for (;;)
    wait_somehow(how);
}

static void *
waiter(void *number)
{
  int n = (int)(long)number;

  if (n % 10 == 0)
    pthread_mutex_lock(&mutex);
  return dig(n % 7, n % 10) ? number : NULL;
}

int
main(void)
{
  sigset_t all, old;

  if (pipe(quiet) != 0)
    return 1;
  pthread_mutex_lock(&held);
  sigfillset(&all);
  for (long i = 0; i < 50; i++) {
    pthread_t thread;
    if (i % 3 == 0)
      pthread_sigmask(SIG_BLOCK, &all, &old);
    pthread_create(&thread, NULL, waiter, (void *)i);
    if (i % 3 == 0)
      pthread_sigmask(SIG_SETMASK, &old, NULL);
  }
  until_all_sleep();
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
  puts("forked");
  fflush(stdout);
  for (;;)
    pause();
}
