// Forks like these, from a process with two threads, for the argument:
//   exec       the child execs at once; so does grows (with deep calls), lazy (with a first call of
//              a function that is bound lazily) and busy (while a thread writes everywhere)
//   global     it writes `counter`         same       it writes 0 to `counter`, which is 0
//   heap       it writes a block of malloc's          maps    it maps memory
//   setenv     it calls setenv             printf     it calls printf
//   environ    it sets the variable environ, as libuv does
//   errno      a call of it fails          lock       it locks and unlocks a lock of the program
//   returns    it returns from the function that called fork, and execs
//   exits      it ends without exec        fails      its exec fails
//   flag       another thread is told the address of a variable in the frame that calls fork, and
//              writes it while the child runs
//   pointer    another thread has that address, and does nothing
//   queue      that address is in a block of malloc's
//   slow       it sleeps for 300 ms before its exec
// Only exec, grows, lazy, busy, environ, errno and fails can borrow their parent's memory.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
int counter;
char *block;
static _Atomic int *_Atomic told;
static _Atomic int seen, stop;
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

static __attribute__((noinline)) void
child(const char *what)
{
  char *empty[] = {"A=1", NULL};

  if (!strcmp(what, "grows") && deep(100) < 0)
    return;
  if (!strcmp(what, "lazy"))
    (void)getppid();
  if (!strcmp(what, "global"))
    counter = 7;
  if (!strcmp(what, "same"))
    *(volatile int *)&counter = 0;
  if (!strcmp(what, "heap"))
    block[20] = 5;
  if (!strcmp(what, "maps"))
    mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!strcmp(what, "setenv"))
    setenv("A", "B", 1);
  if (!strcmp(what, "printf"))
    printf("hello\n");
  if (!strcmp(what, "environ"))
    environ = empty;
  if (!strcmp(what, "errno"))
    close(-1);
  if (!strcmp(what, "lock")) {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
  }
  if (!strcmp(what, "exits"))
    _exit(0);
  if (!strcmp(what, "slow"))
    usleep(300000);
  if (!strcmp(what, "fails"))
    execl("/dev/null", "null", NULL);
  else
    run();
  _exit(127);
}

static __attribute__((noinline)) pid_t
fork_here(const char *what)
{
  _Atomic int flag = 0;

  if (!strcmp(what, "queue"))
    *(_Atomic int **)(void *)block = &flag;
  if (!strcmp(what, "flag") || !strcmp(what, "pointer")) {
    told = &flag;
    while (!seen)
      usleep(100);
  }
  pid_t pid = fork();
  if (pid == 0 && strcmp(what, "returns"))
    child(what);
  if (pid > 0 && !strcmp(what, "flag")) {
    while (flag < 10)
      usleep(100);
  }
  return pid;
}

static void *
other(void *what)
{
  if (!strcmp(what, "flag") || !strcmp(what, "pointer")) {
    while (!told)
      usleep(100);
    _Atomic int *flag = told;
    told = NULL;
    seen = 1;
    while (!stop) {
      if (!strcmp(what, "flag"))
        ++*flag;
      usleep(100);
      if (*flag > 10)
        break;
    }
    return NULL;
  }
  while (!strcmp(what, "busy")) {
    for (size_t i = 0; i < sizeof many; i += 64)
      many[i]++;
    counter++;
    block[100]++;
  }
  for (;;)
    pause();
  return NULL;
}

int
main(int argc, char **argv)
{
  char *what = argc > 1 ? argv[1] : "exec";
  int forks = argc > 2 ? atoi(argv[2]) : 1, status = 0;
  pthread_t thread;

  block = malloc(1000);
  setvbuf(stdout, NULL, _IONBF, 0);
  pthread_create(&thread, NULL, other, what);
  usleep(1000);
  for (int i = 0; i < forks; i++) {
    pid_t pid = fork_here(what);
    if (pid == 0)
      child(what);
    waitpid(pid, &status, 0);
  }
  stop = 1;
  return WEXITSTATUS(status) == (!strcmp(what, "fails") ? 127 : 0) ? 0 : 1;
}
