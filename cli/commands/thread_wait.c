#include "thread_wait.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "prove/finding.h"
#include "report/text_parts.h"
#include "base/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

// Calls in which programs sleep.
static const struct {
  long number;
  const char *name;
} calls[] = {
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_connect, "connect"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_fcntl, "fcntl"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_flock, "flock"},
    {SYS_fsync, "fsync"},
    {SYS_io_getevents, "io_getevents"},
    {SYS_io_uring_enter, "io_uring_enter"},
    {SYS_ioctl, "ioctl"},
    {SYS_mq_timedreceive, "mq_timedreceive"},
    {SYS_mq_timedsend, "mq_timedsend"},
    {SYS_msgrcv, "msgrcv"},
    {SYS_msgsnd, "msgsnd"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_open, "open"},
    {SYS_openat, "openat"},
    {SYS_pause, "pause"},
    {SYS_poll, "poll"},
    {SYS_ppoll, "ppoll"},
    {SYS_pread64, "pread64"},
    {SYS_pselect6, "pselect6"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_read, "read"},
    {SYS_readv, "readv"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmmsg, "recvmmsg"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_restart_syscall, "restart_syscall"},
    {SYS_rt_sigsuspend, "rt_sigsuspend"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
    {SYS_select, "select"},
    {SYS_semop, "semop"},
    {SYS_semtimedop, "semtimedop"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sendto, "sendto"},
    {SYS_vfork, "vfork"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
};

enum { IN_NONE = -1, RUNS = -2, UNREADABLE = -3 };

void
thread_wait_read(pid_t pid, pid_t tid, struct thread_wait *wait)
{
  *wait = (struct thread_wait){.pid = pid, .tid = tid, .state = procfs_state(pid, tid)};
  wait->untimed_lock = wait_state_of_task(pid, tid, &wait->task);
  char *text = procfs_read(pid, tid, "syscall");
  if (!text)
    wait->number = UNREADABLE;
  else if (!strncmp(text, "running", 7))
    wait->number = RUNS;
  else if (sscanf(text, "%ld", &wait->number) != 1 || wait->number < 0)
    wait->number = IN_NONE;
  free(text);
}

static char *
in_call(long number)
{
  if (number == SYS_futex)
    return xstrdup("waits with a timeout in futex()");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (calls[i].number == number)
      return xasprintf("sleeps in %s()", calls[i].name);
  return xasprintf("sleeps in system call %ld", number);
}

static char *
for_lock(const struct thread_wait *wait, struct live *live, const json_t *stack)
{
  struct lock lock = lock_at(wait->pid, &wait->task, stack);
  json_t *described = live_symbol(live, lock.address);
  proof_describe(described, &lock);
  char *name = render_lock(described);
  bool here = lock.owner && procfs_task_called(wait->pid, lock.owner);
  char *owner = lock.owner ? xasprintf(", owned by thread %d, which is %sin this process",
                                       (int)lock.owner, here ? "" : "not ")
                           : xstrdup("");
  char *text = xasprintf("waits without a timeout for %s%s", name, owner);
  free(name);
  free(owner);
  json_decref(described);
  return text;
}

char *
thread_wait_words(const struct thread_wait *wait, struct live *live, const json_t *stack)
{
  switch (wait->state) {
  case 'T': return xstrdup("is stopped");
  case 't': return xstrdup("is stopped by a tracer");
  case 'Z':
  case 'X': return xstrdup("has ended");
  default: break;
  }
  if (wait->untimed_lock)
    return for_lock(wait, live, stack);
  switch (wait->number) {
  case RUNS: return xstrdup("runs");
  case IN_NONE: return xstrdup("sleeps outside a system call");
  case UNREADABLE: return xstrdup("cannot be read");
  default: return in_call(wait->number);
  }
}
