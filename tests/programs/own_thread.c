// Truth: one fork with one other thread. The child starts a thread of its own, and its first one
// waits for ever for a semaphore that it made itself; with "shared" it has no other thread, and the
// semaphore lies in memory that the parent could write (test_diagnose.py).
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t *made;

static void *
idle(void *unused)
{
  for (;;)
    usleep(10000);
  return unused;
}

static __attribute__((noinline)) void
wait_in_child(void)
{
  while (sem_wait(made) != 0)
    ;
}

int
main(int argc, char **argv)
{
  bool shared = argc > 1 && strcmp(argv[1], "shared") == 0;
  pthread_t thread;
  int status;

  pthread_create(&thread, NULL, idle, NULL);
  made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE,
              MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
  sem_init(made, shared, 0);
  pid_t child = fork();
  if (child == 0) {
    sem_t fresh;
    if (!shared) {
      sem_init(&fresh, 0, 0);
      made = &fresh;
      pthread_create(&thread, NULL, idle, NULL);
    }
    wait_in_child();
    _exit(0);
  }
  waitpid(child, &status, 0);
  return 0;
}
