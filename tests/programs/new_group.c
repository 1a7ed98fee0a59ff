// Truth: three forks from one place, of 1, 2 and 1 other threads. The second has a thread that a
// library made: it is reported anew, with both groups. The third has one of the first's kind: not.
// Usage: new_group LIBRARY, a shared library with a function make_thread().
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t end;

static void *
idle(void *unused)
{
  sem_wait(&end);
  return unused;
}

static __attribute__((noinline)) bool
fork_here(void)
{
  pid_t child = fork();

  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child;
}

int
main(int argc, char **argv)
{
  void *library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
  pthread_t (*make_thread)(void *(*)(void *)) =
      library ? (pthread_t(*)(void *(*)(void *)))dlsym(library, "make_thread") : NULL;
  volatile const int counts[] = {1, 2, 1};  // volatile: the loop stays one
  pthread_t threads[2];

  if (!make_thread) {
    fprintf(stderr, "usage: new_group LIBRARY\n");
    return 2;
  }
  bool well = true;
  sem_init(&end, 0, 0);
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < counts[i]; k++) {
      if (k > 0)
        threads[k] = make_thread(idle);
      else
        pthread_create(&threads[k], NULL, idle, NULL);
    }
    well = fork_here() && well;
    for (int k = 0; k < counts[i]; k++)
      sem_post(&end);
    for (int k = 0; k < counts[i]; k++)
      pthread_join(threads[k], NULL);
  }
  return well ? 0 : 1;
}
