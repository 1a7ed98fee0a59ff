// The child of a process with a thread calls what is named before it execs, while at the fork the
// thread held the lock of the allocator (unsafe_allocator.c, preloaded), or one of the program's
// own (test_deadlock.py). With a second argument the thread had released it.
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void hold_allocator(volatile int *held, volatile int *until) __attribute__((weak));

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int held, forked, released;
static const char *kind;
static void *volatile memory;

static void *
hold(void *unused)
{
  if (strcmp(kind, "log") == 0 || !hold_allocator) {
    pthread_mutex_lock(&log_lock);
    held = 1;
    while (!forked)
      ;
    pthread_mutex_unlock(&log_lock);
  } else {
    hold_allocator(&held, &forked);
  }
  released = 1;
  pause();
  return unused;
}

// In fork(), before any library does more.
static void
in_parent(void)
{
  forked = 1;
}

static void
write_log(const char *text)
{
  pthread_mutex_lock(&log_lock);
  (void)!write(1, text, strlen(text));
  pthread_mutex_unlock(&log_lock);
}

static __attribute__((noinline)) void
before_exec(void)
{
  if (strcmp(kind, "malloc") == 0)
    memory = malloc(10);
  else if (strcmp(kind, "opendir") == 0)
    closedir(opendir("/"));
  else if (strcmp(kind, "setenv") == 0)
    setenv("NEW_VARIABLE", "1", 1);
  else
    write_log("about to exec\n");
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  int status;

  kind = argc > 1 ? argv[1] : "log";
  pthread_atfork(NULL, in_parent, NULL);
  if (argc > 2)
    forked = 1;
  pthread_create(&thread, NULL, hold, NULL);
  while (argc > 2 ? !released : !held)
    sched_yield();
  pid_t child = fork();
  if (child == 0) {
    before_exec();
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
