// truth: forks=1 threads=5 entry=fork exit=0
// Threads whose stacks an unwinder cannot trust: one on a heap stack (makecontext), one whose stack
// pointer leads nowhere, one whose return addresses are overwritten, one at the end of its mapping.
// Each ends its own unwind, and nothing else: no handler of the program's runs for a wrong address.
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 64 * 1024 };

static pthread_barrier_t started;
static int word;

static void
wait_for_ever(void)
{
  pthread_barrier_wait(&started);
  for (;;)
    pause();
}

static void *
on_heap_stack(void *unused)
{
  static ucontext_t here, there;

  getcontext(&there);
  there.uc_stack.ss_sp = malloc(STACK);
  there.uc_stack.ss_size = STACK;
  there.uc_link = &here;
  makecontext(&there, wait_for_ever, 0);
  swapcontext(&here, &there);
  return unused;
}

// futex(&word, FUTEX_WAIT, 0) with another stack pointer: no call of C can do that.
static void
sleep_with(void *stack_pointer)
{
  for (;;)
    __asm__ volatile("movq %%rsp, %%r12\n\t"
                     "movq %%rbp, %%r13\n\t"
                     "movq %0, %%rsp\n\t"
                     "movq $1, %%rbp\n\t"
                     "syscall\n\t"
                     "movq %%r12, %%rsp\n\t"
                     "movq %%r13, %%rbp"
                     :
                     : "r"(stack_pointer), "a"(SYS_futex), "D"(&word), "S"(FUTEX_WAIT), "d"(0)
                     : "rcx", "r11", "r12", "r13", "memory");
}

static void *
nowhere(void *unused)
{
  pthread_barrier_wait(&started);
  sleep_with((void *)0x1234567890);
  return unused;
}

static void *
at_the_end(void *unused)
{
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  pthread_barrier_wait(&started);
  sleep_with(page + 4096 - 8);
  return unused;
}

static void *
overwritten(void *unused)
{
  static char garbage[STACK];

  memset(garbage, 0x5a, sizeof garbage);
  pthread_barrier_wait(&started);
  sleep_with(garbage);
  return unused;
}

static void
on_fault(int number)
{
  _exit(number);
}

int
main(void)
{
  void *(*const routines[])(void *) = {on_heap_stack, nowhere, at_the_end, overwritten};
  pthread_t thread;
  int status;

  signal(SIGSEGV, on_fault);
  signal(SIGBUS, on_fault);
  pthread_barrier_init(&started, NULL, 5);
  for (int i = 0; i < 4; i++)
    pthread_create(&thread, NULL, routines[i], NULL);
  pthread_barrier_wait(&started);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}
