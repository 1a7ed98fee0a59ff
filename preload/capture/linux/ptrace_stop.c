// Stopping threads with ptrace: what the helper task does.
#include "snapshot_internal.h"

#include "os/descriptor.h"
#include "os/kernel.h"
#include "os/nofault.h"
#include "raw_syscall.h"
#include "finish_transfer.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum {
  ERESTARTNOHAND = 514,  // include/linux/errno.h: restart the call unless a handler runs
  STOP_DEADLINE_NS = 50000000,
  LAGGARD_DEADLINE_NS = 1000000000,
  PASSES = 8,  // listings of the tasks: new ones may appear until all are stopped
};

// Whether the task sleeps in a call that a stop would change for the program, for good: a transfer
// that would come back short, or a timed wait whose time would begin anew.
static bool
must_not_stop(const struct task_syscall *call)
{
  const unsigned long *a = call->arguments;

  switch (call->number) {
  case SYS_write:
  case SYS_writev:
  case SYS_pwritev2:
  case SYS_sendto:
  case SYS_sendmsg:
  case SYS_sendmmsg:
  case SYS_sendfile:
  case SYS_splice:
  case SYS_tee:
  case SYS_vmsplice:
  case SYS_copy_file_range:
  case SYS_recvmmsg:
  case SYS_mq_timedsend:
  case SYS_mq_timedreceive:
  case SYS_io_uring_enter:
  case SYS_connect:
  case SYS_vfork: return true;
  case SYS_clone: return (a[0] & CLONE_VFORK) != 0;
  case SYS_epoll_wait:
  case SYS_epoll_pwait: return (int)a[3] >= 0;
  case SYS_epoll_pwait2:
  case SYS_semtimedop: return a[3] != 0;
  case SYS_rt_sigtimedwait: return a[2] != 0;
  case SYS_io_getevents:
  case SYS_io_pgetevents: return a[4] != 0;
  case SYS_recvfrom:
  case SYS_recvmsg:
  case SYS_accept:
  case SYS_accept4:
  case SYS_read:
  case SYS_readv: {
    // A socket with a receive timeout; the helper shares the table of descriptors.
    struct {
      long seconds, microseconds;
    } timeout = {0, 0};
    unsigned int length = sizeof timeout;
    long flags = call->number == SYS_recvfrom  ? (long)a[3]
                 : call->number == SYS_recvmsg ? (long)a[2]
                                               : 0;
    if (flags & MSG_WAITALL)
      return true;
    if (RAW(SYS_getsockopt, a[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &length) < 0)
      return false;
    return timeout.seconds || timeout.microseconds;
  }
  default: return false;
  }
}

// Calls that return EINTR after a stop instead of going on by themselves (signal(7), "Interruption
// of system calls and library functions by stop signals").
static bool
returns_eintr(long number)
{
  switch (number) {
  case SYS_epoll_wait:
  case SYS_epoll_pwait:
  case SYS_epoll_pwait2:
  case SYS_rt_sigtimedwait:
  case SYS_semop:
  case SYS_semtimedop:
  case SYS_recvfrom:
  case SYS_recvmsg:
  case SYS_read:
  case SYS_readv:
  case SYS_accept:
  case SYS_accept4:
  case SYS_io_getevents:
  case SYS_io_pgetevents: return true;
  default: return false;
  }
}

static void
from_user(struct registers *to, const struct user_regs_struct *u)
{
  uint64_t *r = to->at;

  r[REG_AX] = u->rax, r[REG_DX] = u->rdx, r[REG_CX] = u->rcx, r[REG_BX] = u->rbx;
  r[REG_SI] = u->rsi, r[REG_DI] = u->rdi, r[REG_BP] = u->rbp, r[REG_SP] = u->rsp;
  r[REG_08] = u->r8, r[REG_09] = u->r9, r[REG_10] = u->r10, r[REG_11] = u->r11;
  r[REG_12] = u->r12, r[REG_13] = u->r13, r[REG_14] = u->r14, r[REG_15] = u->r15;
  r[REG_IP] = u->rip;
}

// What the helper knows of a thread between the steps; kept in `how` only when it is final.
enum progress { SKIPPED, SEIZED, INTERRUPTED, HELD };

static unsigned char *
progress_of(struct snapshot *s)
{
  return s->copies + (size_t)s->most * s->stack_bytes;
}

static int *
statuses_of(struct snapshot *s)
{
  return (int *)(void *)(progress_of(s) + ((size_t)s->most + 15) / 16 * 16);
}

static void
seize(struct snapshot *s, long folder, int i, unsigned char *progress)
{
  struct snapshot_thread *t = &s->threads[i];
  struct task_syscall call;
  int sleeps = task_syscall(folder, t->tid, &call);

  progress[i] = SKIPPED;
  t->state = sleeps == 0 ? 'R' : 'S';
  if (sleeps == 1 && must_not_stop(&call)) {
    snapshot_from_proc(t, &call);
    return;
  }
  if (RAW(SYS_ptrace, PTRACE_SEIZE, t->tid, 0, 0) == 0)
    progress[i] = SEIZED;
}

static void
wait_stopped(struct snapshot_thread *t, unsigned char *progress, int *status, uint64_t deadline)
{
  for (;;) {
    long n = RAW(SYS_wait4, t->tid, status, __WALL | WNOHANG, 0);
    if (n == t->tid && WIFSTOPPED(*status)) {
      *progress = HELD;
      return;
    }
    // Gone, or inside vfork(), where it cannot stop: our exit detaches it.
    if (n != 0 || kernel_clock() > deadline)
      return;
    RAW(SYS_sched_yield);
  }
}

static void
read_held(struct snapshot_thread *t, pid_t pid, int status)
{
  struct user_regs_struct user;
  struct iovec iov = {&user, sizeof user};

  if (RAW(SYS_ptrace, PTRACE_GETREGSET, t->tid, NT_PRSTATUS, &iov) < 0)
    return;
  t->how = SNAPSHOT_STOPPED;
  from_user(&t->registers, &user);
  t->thread_pointer = user.fs_base;
  if (status >> 16 != PTRACE_EVENT_STOP || (long)user.orig_rax < 0)
    return;
  // At the return of a system call that the stop may have cut short.
  bool changed = (long)user.rax == -EINTR && returns_eintr((long)user.orig_rax);
  if (changed)
    user.rax = (unsigned long)-ERESTARTNOHAND;
  else
    changed = resume_transfer(pid, &user);
  if (changed)
    RAW(SYS_ptrace, PTRACE_SETREGSET, t->tid, NT_PRSTATUS, &iov);
}

void
stop_others(struct helper *h)
{
  struct snapshot *s = h->snapshot;
  unsigned char *progress = progress_of(s);
  int *statuses = statuses_of(s);
  int done = 0;
  uint64_t deadline = 0;
  long folder = task_folder(h->pid);

  for (int pass = 0; pass < PASSES; pass++) {
    struct listing l = {s, h->caller, s->count, 0};
    if (task_each(h->pid, snapshot_list, &l) < 0 || s->count == done)
      break;
    for (int i = done; i < s->count; i++)
      seize(s, folder, i, progress);
    if (!deadline) {
      s->stop_began = kernel_clock();
      deadline = s->stop_began + (s->at_clone ? LAGGARD_DEADLINE_NS : STOP_DEADLINE_NS);
    }
    for (int i = done; i < s->count; i++) {
      if (progress[i] == SEIZED && RAW(SYS_ptrace, PTRACE_INTERRUPT, s->threads[i].tid, 0, 0) == 0)
        progress[i] = INTERRUPTED;
    }
    for (int i = done; i < s->count; i++) {
      if (progress[i] == INTERRUPTED)
        wait_stopped(&s->threads[i], &progress[i], &statuses[i], deadline);
    }
    done = s->count;
    if (task_count(h->pid) - 1 <= done || done == s->most)
      break;
  }
  if (folder >= 0)
    descriptor_close(folder);
  for (int i = 0; i < done; i++) {
    if (progress[i] == HELD) {
      read_held(&s->threads[i], h->pid, statuses[i]);
      s->stopped = true;
    }
  }
  snapshot_copy_stacks(s, 0, done, nofault_copy);
}

// A signal that was about to be delivered still is.
static void
detach(const struct snapshot_thread *t, int status)
{
  int signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;

  RAW(SYS_ptrace, PTRACE_DETACH, t->tid, 0, signal);
}

void
release_others(struct helper *h)
{
  struct snapshot *s = h->snapshot;
  unsigned char *progress = progress_of(s);
  int *statuses = statuses_of(s);

  for (int i = 0; i < s->count; i++) {
    if (progress[i] == HELD)
      detach(&s->threads[i], statuses[i]);
  }
  s->stopped_ns = s->stop_began ? kernel_clock() - s->stop_began : 0;
  // Those too slow for the deadline (no processor, or in the kernel for long): their call is
  // interrupted already, and only from its stop can it be made to go on.
  uint64_t deadline = kernel_clock() + LAGGARD_DEADLINE_NS;
  for (int i = 0; i < s->count; i++) {
    if (progress[i] != INTERRUPTED)
      continue;
    wait_stopped(&s->threads[i], &progress[i], &statuses[i], deadline);
    if (progress[i] == HELD) {
      read_held(&s->threads[i], h->pid, statuses[i]);
      snapshot_copy_stacks(s, i, i + 1, nofault_copy);
      detach(&s->threads[i], statuses[i]);
    }
  }
}
