#include "os/linux/task.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fds[2];
static _Atomic pid_t reader;

static void *
read_one(void *unused)
{
  char c;

  (void)unused;
  prctl(PR_SET_NAME, "a) Z (b) X");
  reader = (pid_t)syscall(SYS_gettid);
  return read(fds[0], &c, 1) == 1 ? &reader : NULL;
}

Test(task, a_name_with_parentheses_does_not_kill_a_thread)
{
  struct task_syscall call;
  pthread_t thread;

  long before = task_count(getpid());  // a sanitizer may have a thread of its own

  cr_assert_eq(pipe(fds), 0);
  cr_assert_eq(pthread_create(&thread, NULL, read_one, NULL), 0);
  long folder = task_folder(getpid());
  while (!reader || task_syscall(folder, reader, &call) != 1 || call.number != SYS_read)
    sched_yield();
  cr_assert(task_alive(getpid(), reader));
  cr_assert_eq(call.arguments[0], (unsigned long)fds[0]);
  cr_assert_eq(call.arguments[2], 1);
  cr_assert_eq(task_count(getpid()), before + 1);
  cr_assert_eq(write(fds[1], "x", 1), 1);
  pthread_join(thread, NULL);
  cr_assert_not(task_alive(getpid(), reader));
}

static void
count(pid_t tid, void *argument)
{
  if (tid == getpid())
    ++*(int *)argument;
}

Test(task, lists_the_caller)
{
  int seen = 0;

  cr_assert_eq(task_each(getpid(), count, &seen), 0);
  cr_assert_eq(seen, 1);
}

Test(task, a_process_that_is_not_there_is_an_error)
{
  char buffer[64];

  cr_assert_eq(task_read(999999999, 1, "stat", buffer, sizeof buffer), -ENOENT);
  cr_assert_lt(task_count(999999999), 0);
  cr_assert_not(task_alive(999999999, 1));
}
