// truth: exits=1 exit_statuses=0
// fork while other threads load and unload libraries, allocate, and come and go.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int stop;

static void *
loader(void *name)
{
  while (!stop) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle)
      dlclose(handle);
  }
  return NULL;
}

static void *
allocator(void *unused)
{
  while (!stop) {
    void *memory = malloc((size_t)rand() % 100000 + 1);
    free(memory);
  }
  return unused;
}

static void *
nothing(void *unused)
{
  return unused;
}

static void *
creator(void *unused)
{
  while (!stop) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
      pthread_join(thread, NULL);
  }
  return unused;
}

static __attribute__((noinline)) int
fork_at_depth(int depth)
{
  volatile char frame[32];
  int status = 1;

  frame[depth % 32] = (char)depth;
  if (depth > 0)
    return fork_at_depth(depth - 1) + (frame[depth % 32] != (char)depth);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, &status, 0);
  return status;
}

int
main(void)
{
  static char libm[] = "libm.so.6", libutil[] = "libanl.so.1";
  pthread_t threads[4];
  int bad = 0;

  pthread_create(&threads[0], NULL, loader, libm);
  pthread_create(&threads[1], NULL, loader, libutil);
  pthread_create(&threads[2], NULL, allocator, NULL);
  pthread_create(&threads[3], NULL, creator, NULL);
  for (int i = 0; i < 300; i++)
    bad += fork_at_depth(i % 60);
  stop = 1;
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  return bad > 0;
}
