// usage: thread_entries ENTRY
// A thread made by pthread_create() forks in the_place() by ENTRY: fork, _Fork, clone, forkpty,
// daemon, or by libc's own fork(), which only fork handlers see.
#include <dlfcn.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *entry;

static int
child_of_clone(void *unused)
{
  (void)unused;
  _exit(0);
}

static pid_t
fork_by_entry(void)
{
  static char stack[65536] __attribute__((aligned(16)));
  int master;

  if (!strcmp(entry, "fork"))
    return fork();
  if (!strcmp(entry, "_Fork"))
    return _Fork();
  if (!strcmp(entry, "clone"))
    return clone(child_of_clone, stack + sizeof stack, SIGCHLD, NULL);
  if (!strcmp(entry, "forkpty"))
    return forkpty(&master, NULL, NULL, NULL);
  if (!strcmp(entry, "daemon"))
    return daemon(1, 1);
  pid_t (*own)(void) = (pid_t(*)(void))dlsym(dlopen("libc.so.6", RTLD_NOW), "fork");
  return own();
}

static void *
the_place(void *unused)
{
  pid_t child = fork_by_entry();
  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t thread;

  entry = argc > 1 ? argv[1] : "fork";
  if (pthread_create(&thread, NULL, the_place, NULL))
    return EXIT_FAILURE;
  pthread_join(thread, NULL);
  return 0;
}
