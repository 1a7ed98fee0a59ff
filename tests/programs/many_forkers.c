// truth: exits=1 exit_statuses=0
// 100 threads that fork at once.
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static time_t end;
static _Atomic int bad;

static void *
forker(void *unused)
{
  while (time(NULL) < end) {
    int status = 1;
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      bad++;
  }
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t threads[100];

  end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 3);
  for (int i = 0; i < 100; i++)
    pthread_create(&threads[i], NULL, forker, NULL);
  for (int i = 0; i < 100; i++)
    pthread_join(threads[i], NULL);
  return bad > 0;
}
