// Forks COUNT children from one place of a process with two threads, for WHAT:
//   exec       the child execs at once
//   grows      the same with calls that take more stack
//   lazy       with the first call of a function that is bound lazily
//   busy       while a thread of the parent writes everywhere
//   environ    it sets the variable environ, as libuv does
//   errno      a call of it fails
//   closes     it closes all descriptors from 3 up, in three ways
//   shows      execs a program that lists its descriptors
//   ids        it changes its user, group and groups, as a server does for those that it starts
//   signals    it sets dispositions of signals, and its mask
//   nothing    there is nothing to exec where it looks
// These can borrow their parent's memory. These cannot, because the child or another thread:
//   global     writes `counter`
//   same       writes to `alone` what is there already
//   heap       writes a block of malloc's
//   lock       locks and unlocks a lock of the program
//   own        writes a thread-local variable
//   maps       maps memory
//   protects   changes the protection of the parent's
//   caller     writes a variable of the function that called the one that calls fork
//   setenv     calls setenv
//   printf     calls printf
//   forks      forks a child of its own
//   thread     starts a thread
//   returns    returns from the function that called fork, and execs
//   jumps      leaves it with longjmp, and execs
//   again      returns from it, and execs in another call of it from the same place
//   exits      ends without exec
//   killed     is killed before exec
//   slow       sleeps for 300 ms before its exec
//   flag       is told the address of a variable in the frame that calls fork, and writes it while
//              the child runs
//   hidden     the same, but it keeps the address inverted
//   pointer    has that address, and does nothing
//   queue      can find that address in a block of malloc's
//   stack      has an address in the frame of the caller of the function that calls fork: no harm,
//              it may be borrowed for
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
int counter;
_Alignas(4096) int alone[1024] = {1};
__thread int own;
char *block;
static char *pages;
static jmp_buf outside;
static _Atomic int *_Atomic told, *_Atomic seen;
static _Atomic bool stop;
static _Atomic bool begun;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char many[64 * 4096];

static void
run(void)
{
  char *arguments[] = {"true", NULL};

  execv("/bin/true", arguments);
}

static __attribute__((noinline)) int
deep(int levels)
{
  volatile char bytes[512];

  memset((char *)bytes, levels, sizeof bytes);
  return levels == 0 ? bytes[5] : deep(levels - 1) + bytes[7];
}

static void *
nothing(void *unused)
{
  return unused;
}

// The other thread has the address when this returns.
static void
tell(_Atomic int *address)
{
  told = address;
  while (seen != address && (uintptr_t)seen != ~(uintptr_t)address)
    usleep(100);
}

static void
close_all(void)
{
  for (int fd = 3; fd < 2000; fd++)
    close(fd);
  close_range(3, ~0U, 0);
  syscall(SYS_close_range, 3, ~0U, 0);
}

// Of another user it cannot: the calls fail.
static void
change_ids(void)
{
  const gid_t groups[] = {7, 8};
  bool may = geteuid() == 0;

  if ((setgroups(2, groups) == 0) != may || (setgid(12345) == 0) != may ||
      (setuid(12346) == 0) != may)
    _exit(99);
}

static bool
is(const char *what, const char *name)
{
  return strcmp(what, name) == 0;
}

static int *callers;

static __attribute__((noinline)) void
child(const char *what)
{
  static char *empty[] = {"A=1", NULL};
  pthread_t thread;

  if (is(what, "grows") && deep(100) < 0)
    return;
  if (is(what, "lazy"))
    (void)getppid();
  if (is(what, "environ"))
    environ = empty;
  if (is(what, "errno"))
    close(-1);
  if (is(what, "closes"))
    close_all();
  if (is(what, "ids"))
    change_ids();
  if (is(what, "signals")) {
    signal(SIGPIPE, SIG_DFL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigprocmask(SIG_BLOCK, &(sigset_t){{0}}, NULL);
  }
  if (is(what, "global"))
    counter = 7;
  if (is(what, "same"))
    *(volatile int *)&alone[7] = 0;
  if (is(what, "heap"))
    block[20] = 5;
  if (is(what, "lock")) {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
  }
  if (is(what, "own"))
    own = 5;
  if (is(what, "maps"))
    mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (is(what, "protects"))
    mprotect(pages, 4096, PROT_READ);
  if (is(what, "caller"))
    *callers = 5;
  if (is(what, "setenv"))
    setenv("A", "B", 1);
  if (is(what, "printf"))
    printf("hello\n");
  if (is(what, "forks") && fork() == 0)
    _exit(0);
  if (is(what, "thread"))
    pthread_create(&thread, NULL, nothing, NULL);
  if (is(what, "exits"))
    _exit(0);
  if (is(what, "killed"))
    raise(SIGKILL);
  if (is(what, "slow"))
    usleep(300000);
  if (is(what, "nothing"))
    execl("/nowhere/true", "true", NULL);
  else if (is(what, "shows"))
    execl("/bin/ls", "ls", "/proc/self/fd", NULL);
  else
    run();
  _exit(127);
}

static __attribute__((noinline)) pid_t
fork_here(const char *what, bool second)
{
  volatile _Atomic int flag = 0;
  pid_t pid = 0;

  if (is(what, "flag") || is(what, "hidden") || is(what, "pointer"))
    tell((_Atomic int *)&flag);
  if (is(what, "queue"))
    *(volatile _Atomic int **)(void *)block = &flag;
  if (!second)
    pid = fork();
  if (pid == 0 && is(what, "jumps"))
    longjmp(outside, 1);
  if (pid == 0 && (second || (!is(what, "returns") && !is(what, "again"))))
    child(what);
  if (pid > 0 && (is(what, "flag") || is(what, "hidden"))) {
    while (flag < 10)
      usleep(100);
  }
  return pid;
}

static __attribute__((noinline)) pid_t
call_fork(const char *what)
{
  // Aligned, as libc sets the low byte of a register of the other thread that holds its address
  // (clock_nanosleep of glibc 2.35): it must not lead into the frame of fork_here then.
  _Alignas(256) volatile _Atomic int outer = 0;
  volatile pid_t pid = 0;
  int variable = 0;

  callers = &variable;
  if (is(what, "stack"))
    tell((_Atomic int *)&outer);
  if (setjmp(outside) == 0) {
    for (int i = 0; i < 2 && pid == 0; i++)
      pid = fork_here(what, i == 1);
  }
  if (pid == 0)
    child(what);
  if (variable != 0)
    abort();
  return pid + outer * 0;
}

static void *
other(void *what)
{
  bool writes = is(what, "flag");

  begun = true;
  while (is(what, "busy")) {
    for (size_t i = 0; i < sizeof many; i += 64)
      many[i]++;
    counter++;
    block[100]++;
  }
  if (!writes && !is(what, "hidden") && !is(what, "pointer") && !is(what, "stack"))
    pause();
  while (is(what, "hidden") && !stop) {
    uintptr_t inverted = ~(uintptr_t)told;
    told = NULL;
    seen = (_Atomic int *)inverted;
    while (!told && !stop) {
      if (inverted != UINTPTR_MAX)
        ++*(_Atomic int *)~inverted;
      usleep(10);
    }
  }
  for (;;) {
    _Atomic int *flag = told;
    seen = flag;
    while (told == flag && !stop) {
      if (writes && flag)
        ++*flag;
      usleep(100);
    }
    if (stop)
      return flag;
  }
}

int
main(int argc, char **argv)
{
  char *what = argc > 1 ? argv[1] : "exec";
  int forks = argc > 2 ? atoi(argv[2]) : 1, status = 0, expected = 0;
  pthread_t thread;

  block = malloc(1000);
  pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  setvbuf(stdout, NULL, _IONBF, 0);
  pthread_create(&thread, NULL, other, what);
  // Until then libc's start of the thread has what this one had in its registers.
  while (!begun)
    usleep(100);
  for (int i = 0; i < forks; i++) {
    pid_t pid = call_fork(what);
    if (waitpid(pid, &status, 0) != pid)
      return 2;
  }
  stop = true;
  if (is(what, "nothing"))
    expected = 127 << 8;
  if (is(what, "killed"))
    expected = SIGKILL;
  return status == expected ? 0 : 1;
}
