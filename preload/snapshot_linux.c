// Linux: a helper task that shares our memory but is no thread of ours (a thread cannot trace its
// siblings) seizes the others with ptrace. It runs with a dummy TLS block and makes system calls
// only by itself: a libc call there would write the errno of the thread that forks, or wait for a
// lock that a stopped thread holds.
#include "snapshot.h"

#include "guard.h"
#include "memory.h"
#include "raw_syscall.h"
#include "task.h"

#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum {
  HELPER_STACK = 64 * 1024,
  TLS_BLOCK = 4096,
  RED_ZONE = 128,        // bytes below sp that a leaf function may use (x86-64 psABI 3.2.2)
  ERESTARTNOHAND = 514,  // include/linux/errno.h: restart the call unless a handler runs
  STOP_DEADLINE_NS = 50000000,
  PASSES = 8,  // listings of the tasks: new ones may appear until all are stopped
};

struct job {
  struct snapshot *snapshot;
  pid_t pid, caller;
  _Atomic int go;
};

static uint64_t
clock_now(void)
{
  struct timespec t = {0, 0};

  RAW(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// clone(2) with a stack and TLS block of our own; the task runs entry(argument), then exits.
long forkhound_clone_task(unsigned long flags, void *stack_top, void *tls, int (*entry)(void *),
                          void *argument);
__asm__(".text\n"
        ".hidden forkhound_clone_task\n"
        ".globl forkhound_clone_task\n"
        ".type forkhound_clone_task,@function\n"
        "forkhound_clone_task:\n"
        ".cfi_startproc\n"
        "  movq %rcx, -16(%rsi)\n"  // entry
        "  movq %r8, -8(%rsi)\n"    // argument
        "  subq $16, %rsi\n"
        "  movq %rdx, %r8\n"  // tls
        "  xorl %edx, %edx\n"
        "  xorl %r10d, %r10d\n"
        "  movl $56, %eax\n"  // SYS_clone
        "  syscall\n"
        "  testq %rax, %rax\n"
        "  jz 1f\n"
        "  ret\n"
        "1:\n"
        ".cfi_undefined rip\n"
        "  xorl %ebp, %ebp\n"
        "  popq %rax\n"
        "  popq %rdi\n"
        "  call *%rax\n"
        "  movl %eax, %edi\n"
        "  movl $60, %eax\n"  // SYS_exit
        "  syscall\n"
        "  hlt\n"
        ".cfi_endproc\n"
        ".size forkhound_clone_task,.-forkhound_clone_task\n");

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

// `tcb` is the thread's fs base: glibc puts it at the top of the stack, which bounds the copy. 0
// where it is not known.
static void
copy_stack(struct snapshot *s, struct snapshot_thread *t, pid_t pid, uint64_t tcb)
{
  uint64_t sp = t->registers.at[REG_SP];
  size_t length = s->stack_bytes;

  if (sp < RED_ZONE)
    return;
  t->copy_at = sp - RED_ZONE;
  if (tcb > sp && tcb - t->copy_at < length)
    length = tcb - t->copy_at;
  if (guard_filtered()) {
    t->copy_length = memory_copy(t->copy, length, t->copy_at);
    return;
  }
  struct iovec local = {t->copy, length};
  struct iovec remote = {(void *)t->copy_at, length};
  long n = RAW(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
  t->copy_length = n > 0 ? (size_t)n : 0;
}

static void
from_proc(struct snapshot *s, struct snapshot_thread *t, pid_t pid, const struct task_syscall *call)
{
  t->how = SNAPSHOT_PROC;
  t->registers.at[REG_SP] = call->sp;
  t->registers.at[REG_IP] = call->pc;
  copy_stack(s, t, pid, 0);
}

struct listing {
  struct snapshot *snapshot;
  pid_t caller;
  int hint;
};

// Adds a tid not listed yet. The kernel lists tasks in the order of their creation, so the one
// after the last match is the first guess.
static void
add_thread(pid_t tid, void *argument)
{
  struct listing *l = argument;
  struct snapshot *s = l->snapshot;

  if (tid == l->caller)
    return;
  if (l->hint < s->count && s->threads[l->hint].tid == tid) {
    l->hint++;
    return;
  }
  for (int i = 0; i < s->count; i++) {
    if (s->threads[i].tid == tid) {
      l->hint = i + 1;
      return;
    }
  }
  if (s->count == s->most)
    return;
  struct snapshot_thread *t = &s->threads[s->count];
  t->tid = tid;
  t->how = SNAPSHOT_NONE;
  t->state = 'S';
  t->copy = s->copies + (size_t)s->count * s->stack_bytes;
  t->copy_length = 0;
  s->count++;
  l->hint = s->count;
}

// What the helper knows of a thread between the steps; kept in `how` only when it is final.
enum progress { SKIPPED, SEIZED, INTERRUPTED, HELD };

static void
seize(struct snapshot *s, pid_t pid, int i, unsigned char *progress)
{
  struct snapshot_thread *t = &s->threads[i];
  struct task_syscall call;
  int sleeps = task_syscall(pid, t->tid, &call);

  progress[i] = SKIPPED;
  t->state = sleeps == 0 ? 'R' : 'S';
  if (sleeps == 1 && must_not_stop(&call)) {
    from_proc(s, t, pid, &call);
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
    if (n != 0 || clock_now() > deadline)
      return;
    RAW(SYS_sched_yield);
  }
}

static void
read_held(struct snapshot *s, pid_t pid, struct snapshot_thread *t, int status)
{
  struct user_regs_struct user;
  struct iovec iov = {&user, sizeof user};

  if (RAW(SYS_ptrace, PTRACE_GETREGSET, t->tid, NT_PRSTATUS, &iov) < 0)
    return;
  t->how = SNAPSHOT_STOPPED;
  from_user(&t->registers, &user);
  copy_stack(s, t, pid, user.fs_base);
  bool event_stop = status >> 16 == PTRACE_EVENT_STOP;
  if (event_stop && (long)user.orig_rax >= 0 && (long)user.rax == -EINTR &&
      returns_eintr((long)user.orig_rax)) {
    user.rax = (unsigned long)-ERESTARTNOHAND;
    RAW(SYS_ptrace, PTRACE_SETREGSET, t->tid, NT_PRSTATUS, &iov);
  }
}

static int
helper(void *argument)
{
  struct job *job = argument;
  struct snapshot *s = job->snapshot;
  pid_t pid = job->pid;
  int done = 0;
  uint64_t first_stop = 0, deadline = 0;
  unsigned char *progress = s->copies + (size_t)s->most * s->stack_bytes;
  int *statuses = (int *)(void *)(progress + ((size_t)s->most + 15) / 16 * 16);

  while (!job->go)
    RAW(SYS_futex, &job->go, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  for (int pass = 0; pass < PASSES; pass++) {
    struct listing l = {s, job->caller, 0};
    if (task_each(pid, add_thread, &l) < 0 || s->count == done)
      break;
    for (int i = done; i < s->count; i++)
      seize(s, pid, i, progress);
    if (!first_stop) {
      first_stop = clock_now();
      deadline = first_stop + STOP_DEADLINE_NS;
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
    if (task_count(pid) - 1 <= done || done == s->most)
      break;
  }
  for (int i = 0; i < done; i++) {
    if (progress[i] == HELD) {
      read_held(s, pid, &s->threads[i], statuses[i]);
      s->stopped = true;
    }
  }
  for (int i = 0; i < done; i++) {
    if (progress[i] == HELD) {
      // A signal that was about to be delivered still is.
      int signal = statuses[i] >> 16 == 0 ? WSTOPSIG(statuses[i]) : 0;
      RAW(SYS_ptrace, PTRACE_DETACH, s->threads[i].tid, 0, signal);
    }
  }
  s->stopped_ns = first_stop ? clock_now() - first_stop : 0;
  return 0;
}

// Why ptrace must not be tried, or NULL. `status` is /proc/self/status.
static const char *
ptrace_obstacle(pid_t pid, pid_t tid)
{
  char status[2048];
  long n = task_read(pid, tid, "status", status, sizeof status);

  if (n <= 0)
    return "/proc cannot be read";
  for (char *line = status; *line;) {
    if (__builtin_strncmp(line, "TracerPid:\t", 11) == 0 && line[11] != '0')
      return "the process is already traced";
    if (__builtin_strncmp(line, "Seccomp:\t", 9) == 0 && line[9] != '0') {
      guard_found_filter();
      return "a seccomp filter is in force";
    }
    while (*line && *line != '\n')
      line++;
    if (*line)
      line++;
  }
  return NULL;
}

static void
stop_and_copy(struct snapshot *s, pid_t pid, pid_t caller)
{
  unsigned char *stack =
      s->copies + (s->mapped - (size_t)(s->copies - (unsigned char *)s)) - HELPER_STACK - TLS_BLOCK;
  unsigned char *tcb = stack + HELPER_STACK + TLS_BLOCK / 2;
  struct job job = {.snapshot = s, .pid = pid, .caller = caller};
  unsigned long all = ~0UL, old;
  uint64_t canary;

  // The thread block the compiler's code looks at: its own address, and the stack protector's
  // value.
  __asm__("movq %%fs:0x28, %0" : "=r"(canary));
  *(void **)(void *)tcb = tcb;
  *(void **)(void *)(tcb + 0x10) = tcb;
  *(uint64_t *)(void *)(tcb + 0x28) = canary;

  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
  long task =
      forkhound_clone_task(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED | CLONE_SETTLS,
                           stack + HELPER_STACK, tcb, helper, &job);
  if (task < 0) {
    s->why = "no helper task could be made";
  } else {
    long yama = RAW(SYS_prctl, PR_SET_PTRACER, task, 0, 0, 0);
    job.go = 1;
    RAW(SYS_futex, &job.go, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    int status = 0;
    long n;
    do {
      n = RAW(SYS_wait4, task, &status, __WALL, 0);
    } while (n == -EINTR);
    if (yama == 0)
      RAW(SYS_prctl, PR_SET_PTRACER, 0, 0, 0, 0);
  }
  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
}

// What the helper could not stop: a thread that is there at all counts, and what /proc says of it
// is taken.
static void
complete_from_proc(struct snapshot *s, pid_t pid, pid_t caller)
{
  struct listing l = {s, caller, 0};
  int kept = 0;

  task_each(pid, add_thread, &l);
  for (int i = 0; i < s->count; i++) {
    struct snapshot_thread *t = &s->threads[i];
    if (t->how == SNAPSHOT_NONE) {
      struct task_syscall call;
      if (!task_alive(pid, t->tid))
        continue;
      int sleeps = task_syscall(pid, t->tid, &call);
      t->state = sleeps == 0 ? 'R' : 'S';
      if (sleeps == 1)
        from_proc(s, t, pid, &call);
    }
    s->threads[kept++] = *t;
  }
  s->count = kept;
}

struct snapshot *
snapshot_take(int most, size_t stack_bytes, enum capture_mode mode)
{
  pid_t pid = (pid_t)RAW(SYS_getpid);
  pid_t caller = (pid_t)RAW(SYS_gettid);
  uint64_t begin = clock_now();
  size_t table = sizeof(struct snapshot) + (size_t)most * sizeof(struct snapshot_thread);
  size_t per_thread = stack_bytes + 1 + sizeof(int);  // copy, progress, wait status
  size_t size = table + (size_t)most * per_thread + 64 + HELPER_STACK + TLS_BLOCK;

  table = (table + 63) / 64 * 64;
  size = (size + 64 + 4095) / 4096 * 4096;
  long address = RAW(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address < 0)
    return NULL;
  struct snapshot *s = (struct snapshot *)address;
  s->mapped = size;
  s->most = most;
  s->stack_bytes = stack_bytes;
  s->copies = (unsigned char *)s + table;

  s->why = mode == CAPTURE_PROC ? "capture=proc" : ptrace_obstacle(pid, caller);
  if (!s->why)
    stop_and_copy(s, pid, caller);
  if (!s->stopped && !s->why)
    s->why = "ptrace is refused";
  complete_from_proc(s, pid, caller);
  s->capture_ns = clock_now() - begin;
  return s;
}

void
snapshot_free(struct snapshot *s)
{
  RAW(SYS_munmap, s, s->mapped);
}
