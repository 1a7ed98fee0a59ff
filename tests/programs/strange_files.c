// A process with two threads, the files of which change (test_files.py). usage: strange_files MODE
// LIBRARY
//   deleted         removes the library, has a FIFO with the name that /proc/PID/maps has for it
//   then,
//                   and forks a child that waits for ever for a mutex that is held
//   first, second   forks at this place of the library
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void *
hold(void *unused)
{
  pthread_mutex_lock(&mutex);
  pthread_barrier_wait(&held);
  for (;;)
    pause();
  return unused;
}

static void
handle(int number)
{
  (void)number;
}

static int
fork_stuck(const char *library)
{
  char path[4096];
  snprintf(path, sizeof path, "%s (deleted)", library);
  if (unlink(library) || mkfifo(path, 0600))
    return 2;
  signal(SIGUSR1, handle);
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&mutex);
    _exit(0);
  }
  return waitpid(child, NULL, 0) != child;
}

int
main(int argc, char **argv)
{
  pthread_t thread;
  void *library = argc == 3 ? dlopen(argv[2], RTLD_NOW) : NULL;
  if (!library)
    return 3;
  int first = strcmp(argv[1], "first") == 0;
  int (*forks)(void) = (int (*)(void))dlsym(library, first ? "fork_first" : "fork_second");
  pthread_barrier_init(&held, NULL, 2);
  pthread_create(&thread, NULL, hold, NULL);
  pthread_barrier_wait(&held);
  if (strcmp(argv[1], "deleted") == 0)
    return fork_stuck(argv[2]);
  return forks && forks() ? 0 : 1;
}
