// A thread sleeps; then the call that the first argument names is made, of `env` or by itself.
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// <util.h>, which not every set of headers has.
int forkpty(int *, char *, const void *, const void *);

#pragma clang diagnostic ignored "-Wdeprecated-declarations"  // daemon()

static _Atomic int ready, stop;
static pthread_t worker;

static void *
sleeper(void *unused)
{
  ready = 1;
  while (!stop)
    sched_yield();
  return unused;
}

static void *
nothing(void *unused)
{
  return unused;
}

// As a library does that ends its threads before a fork.
static void
stop_worker(void)
{
  stop = 1;
  pthread_join(worker, NULL);
}

static char *const env[] = {(char *)"env", NULL};
static char *const empty[] = {NULL};

// An exec of the caller.
static void
spawn_in_place(bool search, const char *file)
{
  posix_spawnattr_t attributes;

  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETEXEC);
  if (search)
    posix_spawnp(NULL, file, NULL, &attributes, env, empty);
  else
    posix_spawn(NULL, file, NULL, &attributes, env, empty);
}

static void
in_child(const char *what)
{
  pthread_t thread;

  if (strcmp(what, "execv") == 0)
    execv("/usr/bin/env", env);
  else if (strcmp(what, "execvp") == 0)
    execvp("env", env);
  else if (strcmp(what, "execl") == 0)
    execl("/usr/bin/env", "env", "A=1", "B=2", "C=3", "D=4", "E=5", "F=6", "G=7", NULL);
  else if (strcmp(what, "execlp") == 0)
    execlp("env", "env", "A=1", "B=2", "C=3", "D=4", "E=5", "F=6", "G=7", NULL);
  else if (strcmp(what, "execle") == 0)
    execle("/usr/bin/env", "env", "A=1", NULL, empty);
  else if (strcmp(what, "execve") == 0)
    execve("/usr/bin/env", env, empty);
  else if (strcmp(what, "setexec") == 0)
    spawn_in_place(false, "/usr/bin/env");
  else if (strcmp(what, "setexecp") == 0)
    spawn_in_place(true, "env");
  else if (strcmp(what, "setexec_fails") == 0)
    spawn_in_place(false, "/usr");
  else if (strcmp(what, "thread") == 0 && pthread_create(&thread, NULL, nothing, NULL) == 0)
    execve("/usr/bin/env", env, empty);
}

int
main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  int status = 0;
  pid_t child;

  pthread_create(&worker, NULL, sleeper, NULL);
  while (!ready)
    sched_yield();
  if (strcmp(what, "spawn") == 0 || strcmp(what, "spawnp") == 0) {
    int error = what[5] ? posix_spawnp(&child, "env", NULL, NULL, env, empty)
                        : posix_spawn(&child, "/usr/bin/env", NULL, NULL, env, empty);
    if (error)
      return 8;
  } else if (strcmp(what, "daemon") == 0) {
    if (daemon(0, 1) != 0)
      return 8;
    return write(1, "a daemon\n", 9) == 9 ? 0 : 8;
  } else if (strcmp(what, "forkpty") == 0) {
    int master;
    child = forkpty(&master, NULL, NULL, NULL);
    if (child == 0)
      _exit(isatty(0) ? 5 : 8);
  } else {
    if (strcmp(what, "handlers") == 0)
      pthread_atfork(stop_worker, NULL, NULL);
    child = fork();
    if (child == 0) {
      in_child(what);
      _exit(9);
    }
  }
  waitpid(child, &status, 0);
  if (strcmp(what, "exit") == 0)
    exit(3);
  return what[0] == 'r' ? 0 : WEXITSTATUS(status);
}
