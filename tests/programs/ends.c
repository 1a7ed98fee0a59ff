// The child of a process with threads waits in the way named, and its wait does end: exit status 0
// (test_deadlock.py). A wait that a signal ends is ended by the test, which sends it when it has
// seen what it waits for. But "join" hangs with some versions of glibc, as 2.43.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 1500000 };  // microseconds: longer than --stuck-after
enum { HOUR = 3600 };     // seconds: the test sends the timer's signal before

static const char *kind;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static sem_t semaphore;
static sigjmp_buf out;
static atomic_int busy;
static int ends[2];

static int
is(const char *name)
{
  return strcmp(kind, name) == 0;
}

static void
initialize(void)
{
  static atomic_int calls;

  busy = 1;
  if (atomic_fetch_add(&calls, 1) == 0)
    pause();
}

static void *
be_busy(void *unused)
{
  if (is("once")) {
    pthread_once(&once, initialize);
  } else if (is("stdio")) {
    flockfile(stdout);
  } else if (is("malloc")) {
    busy = 1;
    for (;;)
      free(malloc(100000));
  } else {
    pthread_mutex_lock(&mutex);
  }
  busy = 1;
  pause();
  return unused;
}

static void
jump(int number)
{
  siglongjmp(out, number);
}

static void
post(int number)
{
  (void)number;
  sem_post(&semaphore);
}

static int
post_from_sibling(void *unused)
{
  (void)unused;
  usleep(LONG);
  sem_post(&semaphore);
  return 0;
}

static void *
post_from_thread(void *unused)
{
  usleep(LONG);
  sem_post(&semaphore);
  return unused;
}

static void
wait_for_semaphore(void)
{
  while (sem_wait(&semaphore) != 0 && errno == EINTR)
    ;
}

static __attribute__((noinline)) void
wait_in_child(void)
{
  static char stack[65536] __attribute__((aligned(16)));
  const struct itimerval timer = {.it_value = {HOUR, 0}};
  const struct itimerspec once_only = {.it_value = {HOUR, 0}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  timer_t posix_timer;
  pthread_t own;
  char byte;

  if (is("sleep")) {
    usleep(LONG);
  } else if (is("waitpid")) {
    if (fork() == 0) {
      usleep(LONG);
      _exit(0);
    }
    wait(NULL);
  } else if (is("pipe") || is("socket")) {
    if (read(ends[0], &byte, 1) != 1)
      _exit(1);
  } else if (is("jump")) {
    signal(SIGUSR1, jump);
    if (sigsetjmp(out, 1) == 0)
      wait_for_semaphore();
  } else if (is("jump_from_mutex")) {
    signal(SIGALRM, jump);
    setitimer(ITIMER_REAL, &timer, NULL);
    if (sigsetjmp(out, 1) == 0)
      pthread_mutex_lock(&mutex);
  } else if (is("jump_from_mutex_by_signal")) {
    signal(SIGUSR1, jump);
    if (sigsetjmp(out, 1) == 0)
      pthread_mutex_lock(&mutex);
  } else if (is("jump_by_posix_timer")) {
    signal(SIGRTMIN, jump);
    timer_create(CLOCK_MONOTONIC, &event, &posix_timer);
    timer_settime(posix_timer, 0, &once_only, NULL);
    if (sigsetjmp(out, 1) == 0)
      pthread_mutex_lock(&mutex);
  } else if (is("timer")) {
    signal(SIGALRM, post);
    setitimer(ITIMER_REAL, &timer, NULL);
    wait_for_semaphore();
  } else if (is("signal")) {
    signal(SIGUSR1, post);
    wait_for_semaphore();
  } else if (is("sibling")) {
    clone(post_from_sibling, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    wait_for_semaphore();
  } else if (is("own_thread") || is("debugger")) {
    pthread_create(&own, NULL, post_from_thread, NULL);
    wait_for_semaphore();
  } else if (is("once")) {
    pthread_once(&once, initialize);
  } else if (is("join")) {
    pthread_join(thread, NULL);
  } else if (is("stdio")) {
    printf("%s\n", kind);
    fflush(stdout);
  } else if (is("malloc")) {
    for (int i = 0; i < 1000; i++)
      free(malloc(1000));
  }
}

// What ends the wait from outside.
static void
help(pid_t child)
{
  if (is("debugger")) {
    usleep(100000);
    ptrace(PTRACE_SEIZE, child, NULL, NULL);
    ptrace(PTRACE_INTERRUPT, child, NULL, NULL);
    waitpid(child, NULL, __WALL);
  }
  usleep(LONG);
  if (is("debugger"))
    ptrace(PTRACE_DETACH, child, NULL, NULL);
  else if (is("pipe") || is("socket"))
    (void)!write(ends[1], "", 1);
}

int
main(int argc, char **argv)
{
  int status;

  kind = argc > 1 ? argv[1] : "sleep";
  sem_init(&semaphore, 0, 0);
  if (is("socket") ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
    return 1;
  pthread_create(&thread, NULL, be_busy, NULL);
  while (!busy)
    sched_yield();
  pid_t child = fork();
  if (child == 0) {
    wait_in_child();
    _exit(0);
  }
  help(child);
  waitpid(child, &status, 0);
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
