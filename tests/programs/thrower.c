// Loads a library (thrown.cpp) that throws exceptions, which brings libstdc++ with it: neither is
// in the global scope, as with the modules of Python. Throws, forks, and throws in the child.
// Usage: thrower LIBRARY.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
idle(void *unused)
{
  (void)unused;
  pause();
  return NULL;
}

int
main(int argc, char **argv)
{
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  int (*caught)(int) = NULL;
  pthread_t thread;
  int status;

  if (library)
    *(void **)(void *)&caught = dlsym(library, "caught");
  // Before there is a thread, too.
  if (!caught || caught(10) != 10 || pthread_create(&thread, NULL, idle, NULL))
    return 1;
  pid_t child = fork();
  if (child == 0)
    _exit(caught(10) == 10 ? 0 : 2);
  return waitpid(child, &status, 0) == child && status == 0 && caught(10) == 10 ? 0 : 3;
}
