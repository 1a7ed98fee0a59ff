// Of 1,000 children that live at once, 5 wait for a lock that a thread held at the fork; with
// "reuse" there is one child, whose pid another process that forkhound does not see gets later: 77
// if it cannot; with "namespace" some children live for a while (test_deadlock.py). Exit status 0
// if all went as it should.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 1000, STUCK = 5 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void *
hold(void *unused)
{
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

// 0 if the next process has the pid.
static int
set_next_pid(pid_t pid)
{
  char text[32];
  int length = snprintf(text, sizeof text, "%d", (int)pid - 1);
  int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);

  return fd < 0 || write(fd, text, (size_t)length) != length || close(fd) != 0;
}

static int
reuse(void)
{
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  usleep(700000);  // it is watched
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  if (set_next_pid(child) != 0)
    return 77;
  pid_t other = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
  if (other == 0) {
    pthread_mutex_lock(&mutex);
    _exit(0);
  }
  usleep(1500000);
  kill(other, SIGKILL);
  waitpid(other, NULL, 0);
  return other == child ? 0 : 77;
}

static int
live_for_a_while(void)
{
  for (int i = 0; i < 12; i++) {
    if (fork() == 0) {
      usleep(1500000);
      _exit(0);
    }
  }
  while (wait(NULL) > 0)
    ;
  return 0;
}

static int
many(void)
{
  static pid_t children[CHILDREN];
  int ended = 0, status;

  for (int i = 0; i < CHILDREN; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      if (i % (CHILDREN / STUCK) == 0)
        pthread_mutex_lock(&mutex);
      pause();
      _exit(0);
    }
  }
  while (ended < STUCK && wait(&status) > 0)
    ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  for (int i = 0; i < CHILDREN; i++)
    kill(children[i], SIGTERM);
  while (wait(NULL) > 0)
    ;
  return ended != STUCK;
}

int
main(int argc, char **argv)
{
  pthread_t thread;

  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&thread, NULL, hold, NULL);
  pthread_barrier_wait(&held);
  if (argc < 2)
    return many();
  return strcmp(argv[1], "reuse") == 0 ? reuse() : live_for_a_while();
}
