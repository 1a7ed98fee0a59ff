// Forks from one function of a process with threads; the child prepares in one way and ends in
// another (test_redirect.py compares what real and redirected forks print).
// Usage: redirect_same PREPARE END.
#include <time.h>
#include <linux/futex.h>
#include <pty.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "facts.h"

static const char *prepare_kind, *end_kind;
static int to_parent[2], to_killer[2], terminals[2];
static volatile sig_atomic_t children_ended, handled;
static siginfo_t ended, seen;
static atomic_int seen_count, reaped;
static pthread_barrier_t ready;

static bool
prepares(const char *kind)
{
  return strcmp(prepare_kind, kind) == 0;
}

static bool
ends(const char *kind)
{
  return strcmp(end_kind, kind) == 0;
}

static void
on_child(int number, siginfo_t *info, void *context)
{
  (void)number;
  (void)context;
  ended = *info;
  children_ended = children_ended + 1;
}

static void
on_signal(int number)
{
  handled = number;
}

// A crash handler as programs have it.
static void
on_crash(int number, siginfo_t *info, void *context)
{
  (void)context;
  say("crashed by %d, code %d, at %p\n", number, info->si_code, info->si_addr);
  _exit(77);
}

static void *
killer(void *unused)
{
  struct {
    pid_t pid;
    int number;
  } order;

  pthread_barrier_wait(&ready);
  while (read(to_killer[0], &order, sizeof order) == (ssize_t)sizeof order)
    kill(order.pid, order.number);
  return unused;
}

// Looks at all children that end, without taking them.
static void *
watcher(void *unused)
{
  siginfo_t info;

  pthread_barrier_wait(&ready);
  while (prepares("watched") && !reaped) {
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT) == 0 && info.si_pid != seen.si_pid) {
      seen = info;
      seen_count++;
    }
  }
  return unused;
}

static void
ask_for(int number)
{
  struct {
    pid_t pid;
    int number;
  } order = {getpid(), number};

  if (write(to_killer[1], &order, sizeof order) != (ssize_t)sizeof order)
    _exit(97);
}

// Waits without a call that anybody could notice.
static void
wait_quietly(void)
{
  for (;;)
    __asm__ volatile("pause");
}

static void
set_terminal(void)
{
  setsid();
  if (ioctl(terminals[1], TIOCSCTTY, 0) != 0)
    say("no terminal: %s\n", strerrorname_np(errno));
}

static void
set_ids(void)
{
  const gid_t groups[] = {7, 8, 9};

  say("%d", setgroups(3, groups));
  say(" %d", setgid(12345));
  say(" %d\n", setuid(12346));
  say("%d %s\n", setuid(0), strerrorname_np(errno));
}

static void
set_limits(void)
{
  const struct rlimit files = {100, 200}, core = {0, 0};

  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &core);
  say("nice %d\n", nice(5));
  alarm(1000);
  prctl(PR_SET_PDEATHSIG, SIGUSR2);
  prctl(PR_SET_NAME, "renamed");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  say("oom %zd\n", write(fd, "500", 3));
  close(fd);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
}

static void
set_descriptors(void)
{
  dup2(terminals[1], 20);
  dup2(to_parent[1], 21);
  fcntl(21, F_SETFD, FD_CLOEXEC);
  close(terminals[0]);
  if (chdir("/usr") != 0 || fchdir(open("/var", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != 0)
    _exit(96);
  umask(027);
}

static void
set_signals(void)
{
  sigset_t set;
  struct sigaction action;

  sigaction(SIGUSR1, NULL, &action);
  say("handler of SIGUSR1 %s\n", action.sa_handler == on_signal ? "is ours" : "is another");
  say("handler of SIGTERM %s\n",
      signal(SIGTERM, SIG_IGN) == SIG_DFL ? "was default" : "was another");
  signal(SIGTERM, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_SETMASK, &set, NULL);
}

static void
prepare(void)
{
  if (prepares("group")) {
    say("setpgid %d\n", setpgid(0, 0));
  } else if (prepares("terminal_group")) {
    setpgid(0, 0);
    say("tcsetpgrp %d\n", tcsetpgrp(terminals[1], getpgrp()));
  } else if (prepares("session")) {
    say("setsid %d\n", setsid() > 0);
  } else if (prepares("terminal")) {
    set_terminal();
  } else if (prepares("ids")) {
    set_ids();
  } else if (prepares("limits")) {
    set_limits();
  } else if (prepares("descriptors")) {
    set_descriptors();
  } else if (prepares("signals")) {
    set_signals();
  } else if (prepares("environment")) {
    static char variable[] = "SAME=child's", *own[] = {variable, NULL};
    environ = own;
  }
}

static void
end(void)
{
  if (ends("exec")) {
    execl("/proc/self/exe", "redirect_same", (char *)NULL);
  } else if (ends("exec_fails")) {
    execl("/nonexistent/program", "program", (char *)NULL);
    say("exec: %s\n", strerrorname_np(errno));
  } else if (ends("facts")) {
    say_facts();
  } else if (ends("exit")) {
    exit(42);
  } else if (ends("crash")) {
    *(volatile int *)8 = 1;
  } else if (ends("abort")) {
    abort();
  } else if (ends("raise")) {
    raise(SIGUSR1);
    say("handled %d\n", handled);
    raise(SIGTERM);
  } else if (ends("printf")) {
    printf("from the child\n");
    fflush(stdout);
  } else if (ends("setenv")) {
    setenv("OTHER", "child's", 1);
    say_facts();
  } else if (ends("thread")) {
    pthread_t thread;
    say("pthread_create %d\n", pthread_create(&thread, NULL, watcher, NULL) == 0);
  } else if (ends("killed")) {
    ask_for(SIGKILL);
    wait_quietly();
  } else if (ends("terminated")) {
    ask_for(SIGTERM);
    wait_quietly();
  } else if (ends("signalled")) {
    ask_for(SIGUSR1);
    while (!handled)
      __asm__ volatile("pause");
    say("handled %d\n", handled);
  } else if (ends("forks")) {
    pid_t child = fork();
    if (child == 0)
      _exit(5);
    int status = 0;
    bool waited = waitpid(child, &status, 0) == child;
    say("waited %d, status %x\n", waited, status);
  } else if (ends("spawns")) {
    char name[] = "/bin/true", *arguments[] = {name, NULL};
    pid_t child;
    int status = 0, error = posix_spawn(&child, name, NULL, NULL, arguments, environ);
    bool waited = waitpid(child, &status, 0) == child;
    say("spawned %d, waited %d, status %x\n", error, waited, status);
  } else if (ends("vforks")) {
    int status = 0;
    pid_t child = vfork();
    if (child == 0)
      _exit(6);
    bool waited = waitpid(child, &status, 0) == child;
    say("waited %d, status %x\n", waited, status);
  } else if (ends("spins")) {
    struct timespec now, begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
      for (volatile long i = 0; i < 50000000; i++)
        ;
      clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < begin.tv_sec + 2);
    say_facts();
  }
}

// 0: returned as the child.
__attribute__((noinline)) static pid_t
start(int *kept)
{
  volatile int local = 1;
  pid_t child = fork();

  if (child != 0) {
    *kept = local;
    return child;
  }
  local = 2;
  if (ends("returns"))
    return 0;
  prepare();
  end();
  pid_t self = getpid();
  if (write(to_parent[1], &self, sizeof self) != (ssize_t)sizeof self)
    _exit(95);
  _exit(ends("status") ? 255 : 3);
}

static void
say_end(pid_t child)
{
  int status = 0;
  struct rusage usage;
  pid_t told = 0, waited;

  while (prepares("watched") && seen_count == 0)
    usleep(1000);
  do
    waited = wait4(child, &status, WUNTRACED, &usage);
  while (waited < 0 && errno == EINTR);
  reaped = 1;
  if (prepares("watched"))
    say("seen: %d, code %d, status %d, of the child: %d\n", seen_count, seen.si_code,
        seen.si_status, seen.si_pid == child);
  int more = wait(NULL);
  say("wait: %d, status %x; no more: %d %s\n", waited == child, status, more,
      strerrorname_np(errno));
  close(to_parent[1]);
  if (read(to_parent[0], &told, sizeof told) == (ssize_t)sizeof told)
    say("the child's id is what fork() returned: %d\n", told == child);
  say("SIGCHLD: %d, code %d, status %d, of the child: %d\n", (int)children_ended, ended.si_code,
      ended.si_status, ended.si_pid == child);
}

static void
set_up(void)
{
  static char alternate_stack[64 * 1024];
  const stack_t alternate = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  struct sigaction child = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction crash = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  pthread_t thread;

  sigaltstack(&alternate, NULL);
  sigaction(SIGCHLD, &child, NULL);
  signal(SIGUSR1, on_signal);
  signal(SIGHUP, SIG_IGN);
  if (prepares("crash_handler"))
    sigaction(SIGSEGV, &crash, NULL);
  if (pipe2(to_parent, O_CLOEXEC) != 0 || pipe2(to_killer, O_CLOEXEC) != 0 ||
      openpty(&terminals[0], &terminals[1], NULL, NULL, NULL) != 0)
    exit(94);
  if (prepares("terminal_group")) {
    setsid();
    ioctl(terminals[1], TIOCSCTTY, 0);
    signal(SIGTTOU, SIG_IGN);
  }
  pthread_barrier_init(&ready, NULL, 3);
  pthread_create(&thread, NULL, killer, NULL);
  pthread_create(&thread, NULL, watcher, NULL);
  pthread_barrier_wait(&ready);
}

int
main(int argc, char **argv)
{
  if (argc < 3) {
    say_facts();
    return 6;
  }
  prepare_kind = argv[1];
  end_kind = argv[2];
  setenv("SAME", "parent's", 1);
  set_up();
  int local = 0;
  errno = ENOTTY;
  pid_t child = start(&local);
  int error = errno;
  if (child == 0) {
    say("the child has returned\n");
    _exit(4);
  }
  say_end(child);
  say("local %d, errno %s\n", local, strerrorname_np(error));
  say_facts();
  int cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel);
  say("cancellation %d\n", cancel);
  return 0;
}
