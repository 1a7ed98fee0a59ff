// Forks from one function in a way that is never redirected (test_redirect.py), twice. Usage:
// redirect_refused HOW:
//   stack      on a stack of its own
//   deep       with more than 256 KiB of the stack in use
//   namespace  with children in another PID namespace
//   filter     under a seccomp filter that does not allow clone3()
//   area       without the restartable sequences that libc says are there
//   sequences  with a library that has restartable sequences: its file has their section
#include <errno.h>
#include <linux/filter.h>
#include <linux/rseq.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static const char *how;
static int failed;
static ucontext_t outside, inside;
static char stack[256 * 1024];

#ifdef SEQUENCES
__attribute__((section("__rseq_cs"), used)) static long sequence[4];
#endif

static int
is(const char *name)
{
  return strcmp(how, name) == 0;
}

__attribute__((noinline)) static void
start(void)
{
  int status;
  pid_t child = fork();

  if (child == 0) {
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
  }
  failed |= waitpid(child, &status, 0) != child || status != 0;
}

static void
twice(void)
{
  for (int i = 0; i < 2; i++)
    start();
}

static void
on_own_stack(void)
{
  getcontext(&inside);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = sizeof stack;
  inside.uc_link = &outside;
  makecontext(&inside, twice, 0);
  swapcontext(&outside, &inside);
}

static void
deep(void)
{
  volatile char room[300 * 1024];

  room[0] = 0;
  room[sizeof room - 1] = 0;
  twice();
  failed |= room[0];
}

static void
with_filter(void)
{
  struct sock_filter lines[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof lines / sizeof lines[0], .filter = lines};

  failed |= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0;
  twice();
}

static void *
idle(void *unused)
{
  pause();
  return unused;
}

int
main(int argc, char **argv)
{
  pthread_t thread;

  how = argc > 1 ? argv[1] : "";
  if (is("area"))
    failed |= syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32,
                      RSEQ_FLAG_UNREGISTER, RSEQ_SIG) != 0;
  pthread_create(&thread, NULL, idle, NULL);
  if (is("stack")) {
    on_own_stack();
  } else if (is("deep")) {
    deep();
  } else if (is("filter")) {
    with_filter();
  } else if (is("namespace")) {
    failed |= unshare(CLONE_NEWPID) != 0;
    start();  // with that child the namespace ends
  } else {
    twice();
  }
  return failed;
}
