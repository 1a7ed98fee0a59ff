// Loads two libraries one after the other, to the same address, each of which forks from the same
// place in it, FORKS times. The first one's child execs; the second one's writes a global before.
// Built with -DPLUGIN it is such a library, with -DWRITES the second. Usage: redirect_plugins FORKS
// FIRST SECOND.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef PLUGIN
int written;

int
plugin_run(void)
{
  int status = -1;
  pid_t child = fork();

  if (child == 0) {
#  ifdef WRITES
    written = 1;
#  else
    __asm__ volatile("" : "+m"(written));
#  endif
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
  }
  waitpid(child, &status, 0);
  return status | written;
}
#else
#  include <dlfcn.h>
#  include <pthread.h>

static void *
idle(void *unused)
{
  pause();
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  void *at[2] = {NULL};
  int wrong = 0;

  if (argc < 4)
    return 2;
  pthread_create(&thread, NULL, idle, NULL);
  for (int i = 0; i < 2; i++) {
    void *library = dlopen(argv[2 + i], RTLD_NOW);
    int (*run)(void) = NULL;
    if (!library || !(*(void **)&run = at[i] = dlsym(library, "plugin_run")))
      return 2;
    for (int k = 0; k < atoi(argv[1]); k++)
      wrong |= run();
    dlclose(library);
  }
  printf("the same address %d, wrong %d\n", at[0] == at[1], wrong);
  return 0;
}
#endif
