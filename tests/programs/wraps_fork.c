// A library to be preloaded that wraps what forkhound wraps too, and gives each program that is
// executed an environment with itself alone.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *
next(const char *symbol)
{
  return dlsym(RTLD_NEXT, symbol);
}

pid_t
fork(void)
{
  pid_t (*real)(void);

  *(void **)&real = next("fork");
  pid_t child = real();
  return child;
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
               void *argument)
{
  int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

  *(void **)&real = next("pthread_create");
  return real(thread, attributes, routine, argument);
}

int
execve(const char *path, char *const arguments[], char *const environment[])
{
  int (*real)(const char *, char *const[], char *const[]);
  Dl_info info;
  char variable[4096];
  char *own[] = {variable, NULL};

  (void)environment;
  dladdr((void *)next, &info);
  snprintf(variable, sizeof variable, "LD_PRELOAD=%s", info.dli_fname);
  *(void **)&real = next("execve");
  return real(path, arguments, own);
}
