// truth: forks=0
// 10,000 forks, each directly after a pthread_join(): the kernel may still show the thread.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
nothing(void *unused)
{
  return unused;
}

int
main(void)
{
  for (int i = 0; i < 10000; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    waitpid(child, NULL, 0);
  }
  return 0;
}
