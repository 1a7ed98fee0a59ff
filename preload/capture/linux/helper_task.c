// The helper task: it shares our memory but is no thread of ours, because a thread cannot trace its
// siblings. It has a dummy TLS block and makes system calls only by itself: a libc call there would
// write the errno of the thread that forks, or wait for a lock that a stopped thread holds.
#include "snapshot_internal.h"

#include "os/descriptor.h"
#include "os/futex.h"
#include "os/nofault.h"
#include "raw_syscall.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/ptrace.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
  CALLS_BEFORE_CLONE = 4096,  // system calls of the caller after which exact mode gives up
  STACK = 64 * 1024,
  OWN_TLS = 16 * 1024,  // more than our variables of a thread take
  TCB = 4096,           // what glibc may look at of the thread block
  WAIT_NS = 20000000,
  WAITS = 50,
};

// Code that runs in the helper may look at a variable of ours (descriptor.h). It finds it, as the
// loader has placed it, below the thread block, behind those of the program: there all is 0.
static size_t
tls_bytes(void)
{
  const char *thread_block;

  __asm__("movq %%fs:0, %0" : "=r"(thread_block));
  size_t below = (size_t)(thread_block - (const char *)&descriptor_unlisted);
  return (below + OWN_TLS) / 4096 * 4096;
}

size_t
helper_bytes(void)
{
  return STACK + tls_bytes() + TCB;
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

static void
wait_a_while(_Atomic int *word)
{
  const struct timespec limit = {0, WAIT_NS};

  if (!futex_spin(word, FUTEX_SPIN_NS))
    RAW(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &limit, 0, 0);
}

// In the helper: false where its process has ended, or the caller does not come to it. It would
// keep the memory and the descriptors.
static bool
may_go(struct helper *h)
{
  for (int i = 0; i < WAITS && !h->go; i++) {
    wait_a_while(&h->go);
    if (RAW(SYS_getppid) != h->pid)
      return false;
  }
  return h->go;
}

static void
set(_Atomic int *word, int value)
{
  *word = value;
  RAW(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

// The stops of traced threads are announced by SIGCHLD.
static void
begin(void)
{
  const uint64_t all = ~0ul;

  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
  nofault_start();
}

static int
take_now(void *argument)
{
  struct helper *h = argument;

  begin();
  if (!may_go(h))
    return 0;
  stop_others(h);
  release_others(h);
  return 0;
}

// Waits for the traced caller to stop; false when it is gone.
static bool
caller_stops(struct helper *h, int *status)
{
  long n;

  do {
    n = RAW(SYS_wait4, h->caller, status, __WALL, 0);
  } while (n == -EINTR);
  return n == h->caller && WIFSTOPPED(*status);
}

// Lets the caller run to its next stop at a system call, passing signals on. 1: stopped at the
// entry of clone() for a fork, 0: at another entry or exit, -1: gone.
static int
next_call(struct helper *h)
{
  int status, signal = 0;

  for (;;) {
    if (RAW(SYS_ptrace, PTRACE_SYSCALL, h->caller, 0, signal) < 0 || !caller_stops(h, &status))
      return -1;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80))
      break;
    signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;
  }
  struct ptrace_syscall_info info;
  if (RAW(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, h->caller, sizeof info, &info) < 0)
    return -1;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
    return 0;
  return info.entry.nr == SYS_fork ||
         (info.entry.nr == SYS_clone && !(info.entry.args[0] & (CLONE_VM | CLONE_THREAD)));
}

static int
take_at_clone(void *argument)
{
  struct helper *h = argument;
  int status, at_clone = 0;

  begin();
  if (!may_go(h))
    return 0;
  if (RAW(SYS_ptrace, PTRACE_SEIZE, h->caller, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
      RAW(SYS_ptrace, PTRACE_INTERRUPT, h->caller, 0, 0) < 0 || !caller_stops(h, &status)) {
    set(&h->ready, 2);
    return 0;
  }
  set(&h->ready, 1);
  for (int i = 0; i < CALLS_BEFORE_CLONE && at_clone == 0; i++)
    at_clone = next_call(h);
  if (at_clone == 1) {
    stop_others(h);
    (void)next_call(h);  // the others stay as they are until the clone is made
    release_others(h);
  }
  RAW(SYS_ptrace, PTRACE_DETACH, h->caller, 0, 0);
  return 0;
}

static int
run_function(void *argument)
{
  struct helper *h = argument;

  begin();
  h->function(h->argument);
  return 0;
}

static void
start(struct helper *h, int (*entry)(void *))
{
  unsigned char *stack_top = (unsigned char *)h + STACK;
  unsigned char *tcb = stack_top + tls_bytes();
  uint64_t canary;

  // The thread block that compiled code looks at: its own address, and the stack protector's value.
  __asm__("movq %%fs:0x28, %0" : "=r"(canary));
  *(void **)(void *)tcb = tcb;
  *(void **)(void *)(tcb + 0x10) = tcb;
  *(uint64_t *)(void *)(tcb + 0x28) = canary;
  // The helper is born with signals blocked: a handler of the program must not run there. All but
  // SIGCHLD: blocked here, that of a child that ends just now would go to another thread and wake
  // it out of its wait. The helper, which has no children, blocks it before it can get one.
  const uint64_t blocked = ~(1ul << (SIGCHLD - 1));
  uint64_t old;
  RAW(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, &old, sizeof old);
  h->task = forkhound_clone_task(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED | CLONE_SETTLS,
                                 stack_top, tcb, entry, h);
  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof old);
}

static void
start_tracing(struct helper *h, int (*entry)(void *))
{
  struct snapshot *s = h->snapshot;

  start(h, entry);
  if (h->task < 0) {
    s->why = "no helper task could be made";
    return;
  }
  s->yama = RAW(SYS_prctl, PR_SET_PTRACER, h->task, 0, 0, 0) == 0;
  set(&h->go, 1);
}

static void
wait_end(const struct helper *h)
{
  int status;

  while (RAW(SYS_wait4, h->task, &status, __WALL, 0) == -EINTR)
    continue;
}

// Until the caller may go on to fork; false where the helper has ended.
static bool
wait_ready(struct helper *h)
{
  siginfo_t info = {.si_pid = 0};

  while (!h->ready && info.si_pid == 0) {
    wait_a_while(&h->ready);
    if (RAW(SYS_waitid, P_PID, h->task, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) < 0)
      break;
  }
  return h->ready == 1;
}

static void
finish(struct helper *h)
{
  if (h->task < 0)
    return;
  wait_end(h);
  if (h->snapshot->yama)
    RAW(SYS_prctl, PR_SET_PTRACER, 0, 0, 0, 0);
}

void
helper_run(struct helper *h)
{
  start_tracing(h, take_now);
  finish(h);
}

bool
helper_run_exact(struct helper *h)
{
  start_tracing(h, take_at_clone);
  if (h->task >= 0 && wait_ready(h))
    return true;
  finish(h);
  return false;
}

void
helper_finish_exact(struct helper *h)
{
  finish(h);
}

bool
helper_run_function(struct helper *h)
{
  start(h, run_function);
  if (h->task < 0)
    return false;
  wait_end(h);
  return true;
}
