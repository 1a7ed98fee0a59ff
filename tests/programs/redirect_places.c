// Forks in the situation named, FORKS times, and says all that its parent can observe
// (test_redirect.py compares real and redirected forks). Usage: redirect_places SITUATION FORKS:
//   ignored    SIGCHLD is ignored
//   nowait     its action has SA_NOCLDWAIT
//   pidfd      waits by a descriptor of the child
//   elsewhere  another thread waits, for any child
//   small      in a thread with the smallest stack
//   handler    in a signal handler; alternate: on a stack of its own
//   nested     in a nested function, below alloca()
//   cancelled  in a thread that is cancelled meanwhile
//   limit      no process more is allowed
//   fails      the child has nothing to exec
//   real       the child becomes a process of its own
//   traced     the child lets its parent trace it
//   orphans    the thread that forked ends, for which the child has asked for a signal
//   killed     its process is killed while the child is on its way to exec
//   replaced   another thread of it execs, and waits for the child, which becomes a process of its
//              own meanwhile
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *situation;
static int forks, there[2], go[2], done[2];
static atomic_int handled;
static sem_t turn, waited;
static int last_status;
static _Atomic pid_t last;

static bool
is(const char *name)
{
  return strcmp(situation, name) == 0;
}

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
  char text[256];
  va_list list;

  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (write(1, text, (size_t)n) != n)
    _exit(98);
}

static void
run_child(void)
{
  char byte;

  if (is("real"))
    setenv("A", "B", 1);
  if (is("traced") && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
    _exit(94);
  if (is("orphans")) {
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    execl("/bin/sleep", "sleep", "100", (char *)NULL);
  }
  if (is("killed") || is("replaced")) {
    close(done[0]);
    if (write(there[1], "x", 1) != 1 || read(go[0], &byte, 1) != 1)
      _exit(97);
    for (volatile long i = 0; i < 30000000; i++)
      ;
    if (is("replaced"))
      setenv("A", "B", 1);
    dup2(done[1], 1);
    execl("/bin/echo", "echo", "arrived", (char *)NULL);
  }
  if (!is("fails"))
    execl("/bin/true", "true", (char *)NULL);
  execl("/nowhere/true", "true", (char *)NULL);
  _exit(42);
}

__attribute__((noinline)) static pid_t
start(void)
{
  pid_t child = fork();

  if (child == 0)
    run_child();
  return child;
}

static void
wait_and_say(pid_t child)
{
  int status = 0;
  pid_t ended = waitpid(child, &status, 0);

  say("waited %s, status %x\n", ended == child ? "for it" : strerrorname_np(errno), status);
}

static void
repeat(void)
{
  for (int i = 0; i < forks; i++) {
    pid_t child = start();
    if (child < 0)
      say("fork: %s\n", strerrorname_np(errno));
    else
      wait_and_say(child);
  }
}

enum { PIDFD = 3 };  // P_PIDFD of waitid(2), which glibc names since 2.36

static void
by_descriptor(void)
{
  for (int i = 0; i < forks; i++) {
    siginfo_t info = {.si_pid = 0};
    pid_t child = start();
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    int result = waitid((idtype_t)PIDFD, (id_t)fd, &info, WEXITED);
    say("waitid %d, of the child %d, code %d, status %d\n", result, info.si_pid == child,
        info.si_code, info.si_status);
    close(fd);
  }
}

static void
trace(void)
{
  for (int i = 0; i < forks; i++) {
    int status = 0;
    pid_t child = start();
    say("stopped %d", waitpid(child, &status, 0) == child);
    say(" by %x\n", status);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    wait_and_say(child);
  }
}

// Ends when the child has exec'd.
static void *
forks_once(void *unused)
{
  int ends[2];
  char byte;

  if (pipe2(ends, O_CLOEXEC) != 0)
    exit(2);
  last = start();
  close(ends[1]);
  if (read(ends[0], &byte, 1) != 0)
    exit(2);
  close(ends[0]);
  return unused;
}

static void
orphans(void)
{
  for (int i = 0; i < forks; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, forks_once, NULL);
    pthread_join(thread, NULL);
    wait_and_say(last);
  }
}

static void *
wait_elsewhere(void *unused)
{
  for (int i = 0; i < forks; i++) {
    sem_wait(&turn);
    last = waitpid(-1, &last_status, 0);
    sem_post(&waited);
  }
  return unused;
}

static void
elsewhere(void)
{
  pthread_t thread;

  pthread_create(&thread, NULL, wait_elsewhere, NULL);
  for (int i = 0; i < forks; i++) {
    pid_t child = start();
    sem_post(&turn);
    sem_wait(&waited);
    say("waited for it %d, status %x\n", child == last, last_status);
  }
  pthread_join(thread, NULL);
}

static void *
in_thread(void *unused)
{
  repeat();
  return unused;
}

static void
small(void)
{
  pthread_attr_t attributes;
  pthread_t thread;

  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
  pthread_create(&thread, &attributes, in_thread, NULL);
  pthread_join(thread, NULL);
}

static void
on_signal(int number)
{
  (void)number;
  pid_t child = start();
  wait_and_say(child);
  handled++;
}

static void
in_handler(int flags)
{
  static char memory[128 * 1024];
  const stack_t alternate = {.ss_sp = memory, .ss_size = sizeof memory};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

  sigaltstack(&alternate, NULL);
  sigaction(SIGUSR1, &action, NULL);
  for (int i = 0; i < forks; i++)
    raise(SIGUSR1);
  say("handled %d\n", handled);
}

__attribute__((noinline)) static void
nested(int size)
{
  volatile char *bytes = alloca((size_t)size);
  pid_t child = 0;

  __attribute__((noinline)) void inner(void)
  {
    volatile char *more = alloca((size_t)size);
    more[size - 1] = 3;
    child = fork();
    if (child == 0) {
      bytes[1] = 9;
      more[size - 1] = 4;
      run_child();
    }
    say("%d ", more[size - 1]);
  }

  bytes[1] = 7;
  inner();
  say("%d ", bytes[1]);
  wait_and_say(child);
}

static void *
forks_for_ever(void *unused)
{
  (void)unused;
  for (;;) {
    pid_t child = start();
    if (child > 0)
      waitpid(child, NULL, 0);
    handled++;
  }
}

// Which forks it gets done is chance: all children end, and the process can fork on.
static void
cancelled(void)
{
  for (int i = 0; i < forks; i++) {
    pthread_t thread;
    void *result;
    handled = 0;
    pthread_create(&thread, NULL, forks_for_ever, NULL);
    while (handled < i % 5)
      usleep(100);
    usleep((unsigned)(i * 37 % 500));
    pthread_cancel(thread);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED)
      say("not cancelled\n");
    while (waitpid(-1, NULL, 0) > 0)
      ;
  }
  pid_t child = start();
  wait_and_say(child);
}

static void
limit(void)
{
  const struct rlimit one = {1, 1};

  if (geteuid() == 0 && (setgid(54321) != 0 || setuid(54321) != 0))
    exit(2);
  setrlimit(RLIMIT_NPROC, &one);
  repeat();
}

// The last thing that this process does. Of the child the pipe tells.
static void
end_meanwhile(void)
{
  pid_t other = fork();
  char text[64] = "";

  if (other == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, forks_once, NULL);
    if (read(there[0], text, 1) != 1 || write(go[1], "x", 1) != 1)
      _exit(96);
    if (is("killed"))
      kill(getpid(), SIGKILL);
    dup2(done[0], 0);
    execl("/bin/sh", "sh", "-c", "read line; echo \"$line\"", (char *)NULL);
    _exit(95);
  }
  close(done[1]);
  wait_and_say(other);
  if (is("replaced"))
    return;
  ssize_t n = read(done[0], text, sizeof text);
  say("%zd %s", n, n > 0 ? text : "\n");
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

  situation = argc > 1 ? argv[1] : "";
  forks = argc > 2 ? atoi(argv[2]) : 1;
  sem_init(&turn, 0, 0);
  sem_init(&waited, 0, 0);
  if (pipe2(there, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0)
    return 2;
  struct sigaction nowait = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  if (is("ignored"))
    signal(SIGCHLD, SIG_IGN);
  if (is("nowait"))
    sigaction(SIGCHLD, &nowait, NULL);
  if (!is("killed") && !is("replaced"))
    pthread_create(&thread, NULL, idle, NULL);
  if (is("pidfd"))
    by_descriptor();
  else if (is("traced"))
    trace();
  else if (is("orphans"))
    orphans();
  else if (is("elsewhere"))
    elsewhere();
  else if (is("small"))
    small();
  else if (is("handler") || is("alternate"))
    in_handler(is("alternate") ? SA_ONSTACK : 0);
  else if (is("cancelled"))
    cancelled();
  else if (is("limit"))
    limit();
  else if (is("killed") || is("replaced"))
    end_meanwhile();
  else if (is("nested"))
    for (int i = 0; i < forks; i++)
      nested(1000 + 300 * i);
  else
    repeat();
  say("none is left: %d %s\n", wait(NULL), strerrorname_np(errno));
  return 0;
}
