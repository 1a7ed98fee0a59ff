// Two places that fork, each a hazard of its own:
// Two places fork, in threads made by pthread_create, DEPTH calls below the routine of their
// thread. usage: thread_places [DEPTH [exec]]
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int depth;
static int execs;

static void
child_ends(void)
{
  if (execs)
    execl("/bin/true", "true", (char *)NULL);
  _exit(0);
}

#define PLACE(name)                                                                                \
  __attribute__((noinline)) void name(void)                                                        \
  {                                                                                                \
    pid_t child = fork();                                                                          \
    if (child == 0)                                                                                \
      child_ends();                                                                                \
    waitpid(child, NULL, 0);                                                                       \
  }
PLACE(first_place)
PLACE(second_place)

__attribute__((noinline)) static void
below(void (*place)(void), int calls)
{
  if (calls == 0)
    place();
  else
    below(place, calls - 1);
  __asm__ volatile("");
}

static void *
routine(void *place)
{
  below((void (*)(void))place, depth);
  return NULL;
}

int
main(int argc, char **argv)
{
  depth = argc > 1 ? atoi(argv[1]) : 0;
  execs = argc > 2;
  void (*places[])(void) = {first_place, second_place};
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, routine, (void *)places[i]);
    pthread_join(thread, NULL);
  }
  return 0;
}
