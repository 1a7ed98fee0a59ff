// truth: forks=1 threads=4 entry=fork capture=ptrace exec=0 exit=7 group=c11_threads
// functions=wait_for_ever,fork_here All threads are made by thrd_create(), which calls no
// pthread_create(): results arrive as they were returned, and errors as thrd_error.
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

enum { WAITING = 3 };

static mtx_t mutex;
static cnd_t condition;
static int waiting;

static int
wait_for_ever(void *unused)
{
  (void)unused;
  mtx_lock(&mutex);
  waiting++;
  for (;;)
    cnd_wait(&condition, &mutex);
}

static int
give(void *result)
{
  return *(int *)result;
}

static int
leave(void *result)
{
  thrd_exit(*(int *)result);
}

static int
joined(thrd_start_t start, int result)
{
  thrd_t thread;
  int arrived = 0;

  if (thrd_create(&thread, start, &result) != thrd_success ||
      thrd_join(thread, &arrived) != thrd_success)
    return 0;
  return arrived == result;
}

// A stack larger than all memory.
static int
fails(void)
{
  pthread_attr_t attributes, usual;
  thrd_t thread;

  pthread_getattr_default_np(&usual);
  pthread_getattr_default_np(&attributes);
  pthread_attr_setstacksize(&attributes, SIZE_MAX / 4);
  if (pthread_setattr_default_np(&attributes))
    return 0;
  int result = thrd_create(&thread, give, &result);
  pthread_setattr_default_np(&usual);
  return result == thrd_error;
}

__attribute__((noinline)) static pid_t
fork_here(void)
{
  pid_t child = fork();

  if (child == 0)
    _exit(7);
  return child;
}

int
main(void)
{
  thrd_t thread;
  int status = 0, there = 0;

  if (!joined(give, -5) || !joined(give, INT32_MIN) || !joined(leave, -6) || !fails())
    return 1;
  mtx_init(&mutex, mtx_plain);
  cnd_init(&condition);
  for (int i = 0; i < WAITING; i++) {
    if (thrd_create(&thread, wait_for_ever, NULL) != thrd_success)
      return 2;
  }
  while (there < WAITING) {
    mtx_lock(&mutex);
    there = waiting;
    mtx_unlock(&mutex);
  }
  pid_t child = fork_here();
  waitpid(child, &status, 0);
  return WEXITSTATUS(status) == 7 ? 0 : 3;
}
