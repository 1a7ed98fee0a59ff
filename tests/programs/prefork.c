// A parent whose children deadlock: `lock` is held by a thread of the parent. usage: prefork KIND
//   respawn   makes a new child for each that ended
//   serves    the same, while another child of it writes and uses a processor all the time
//   waits     makes two, waits for one, and then for a message that the other was to send
//   computes  makes one, and computes for three seconds
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;

static void *
holder(void *unused)
{
  pthread_mutex_lock(&lock);
  pthread_barrier_wait(&held);
  pause();
  return unused;
}

static pid_t
hang(void)
{
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pthread_mutex_lock(&lock);
    _exit(0);
  }
  return child;
}

static void
compute(int seconds)
{
  for (time_t end = time(NULL) + seconds; time(NULL) < end;)
    for (volatile int i = 0; i < 100000; i++)
      ;
}

static void
serve(void)
{
  int fds[2];
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe(fds))
      _exit(1);
    for (char byte = 'x'; write(fds[1], &byte, 1) == 1 && read(fds[0], &byte, 1) == 1;)
      for (volatile int i = 0; i < 1000000; i++)
        ;
    _exit(1);
  }
}

int
main(int argc, char **argv)
{
  const char *kind = argc > 1 ? argv[1] : "respawn";
  pthread_t thread;
  int fds[2];
  char byte;

  pthread_barrier_init(&held, NULL, 2);
  if (pipe(fds) || pthread_create(&thread, NULL, holder, NULL))
    return 1;
  pthread_barrier_wait(&held);
  if (strcmp(kind, "serves") == 0)
    serve();
  pid_t first = hang();
  if (strcmp(kind, "waits") == 0) {
    waitpid(first, NULL, 0);
    return read(fds[0], &byte, 1) < 0;
  }
  if (strcmp(kind, "computes") == 0) {
    compute(3);
    return 0;
  }
  for (;;) {
    waitpid(first, NULL, 0);
    first = hang();
  }
}
