// Each look at the threads of the process gives back what the kernel gave for it.
#include "os/task.h"

#include "mach_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

bool
task_single(void)
{
  return !pthread_is_threaded_np();
}

pid_t
task_self(void)
{
  uint64_t id = 0;

  pthread_threadid_np(NULL, &id);
  return (pid_t)id;
}

bool
task_can_list(void)
{
  return true;
}

long
task_count(pid_t pid)
{
  struct mach_threads threads;

  (void)pid;
  if (!mach_threads_list(&threads))
    return -EPERM;
  long count = threads.count;
  mach_threads_free(&threads);
  return count;
}

// While task_each() visits a thread: the questions about it need no other list.
static __thread struct {
  pid_t tid;
  thread_act_t port;
} visited;

long
task_each(pid_t pid, void (*visit)(pid_t tid, void *argument), void *argument)
{
  struct mach_threads threads;

  (void)pid;
  if (!mach_threads_list(&threads))
    return -EPERM;
  for (mach_msg_type_number_t i = 0; i < threads.count; i++) {
    visited.port = threads.ports[i];
    visited.tid = mach_thread_id(visited.port);
    if (visited.tid)
      visit(visited.tid, argument);
  }
  visited.tid = 0;
  mach_threads_free(&threads);
  return 0;
}

// Calls look(port, to, size) for one thread. False where it is not there.
static bool
with_port(pid_t tid, bool (*look)(thread_act_t, char *, size_t), char *to, size_t size)
{
  struct mach_threads threads;
  bool result = false;

  if (tid && tid == visited.tid)
    return look(visited.port, to, size);
  if (!mach_threads_list(&threads))
    return false;
  for (mach_msg_type_number_t i = 0; i < threads.count && !result; i++) {
    if (mach_thread_id(threads.ports[i]) == tid)
      result = look(threads.ports[i], to, size);
  }
  mach_threads_free(&threads);
  return result;
}

static bool
look_alive(thread_act_t port, char *to, size_t size)
{
  (void)to;
  (void)size;
  return mach_thread_run_state(port) != 0;
}

static bool
look_name(thread_act_t port, char *to, size_t size)
{
  mach_thread_name(port, to, size);
  return true;
}

bool
task_alive(pid_t pid, pid_t tid)
{
  (void)pid;
  return with_port(tid, look_alive, NULL, 0);
}

void
task_name(pid_t pid, pid_t tid, char *name, size_t size)
{
  (void)pid;
  name[0] = 0;
  with_port(tid, look_name, name, size);
}

void
task_own_name(char *name)
{
  mach_thread_name(mach_threads_self(), name, 16);
}

static void
first(pid_t tid, void *argument)
{
  pid_t *oldest = argument;

  if (!*oldest)
    *oldest = tid;
}

static _Atomic pid_t main_pid, main_tid;

__attribute__((constructor)) static void
start(void)
{
  if (!pthread_main_np())
    return;
  main_tid = task_self();
  main_pid = getpid();
}

// The kernel lists threads in the order of their creation (osfmk/kern/task.c): in a fork child,
// whose threads have new ids, the oldest is the one that forked.
pid_t
task_main(void)
{
  pid_t pid = getpid(), oldest = 0;

  if (main_pid == pid)
    return main_tid;
  task_each(pid, first, &oldest);
  main_tid = oldest;
  main_pid = pid;
  return oldest;
}
