// A thread forks in the_place(), while the main thread holds the lock that the child then takes.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *
the_place(void *unused)
{
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&lock);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  return unused;
}

int
main(void)
{
  pthread_t thread;
  pthread_mutex_lock(&lock);
  pthread_create(&thread, NULL, the_place, NULL);
  pthread_join(thread, NULL);
  return 0;
}
