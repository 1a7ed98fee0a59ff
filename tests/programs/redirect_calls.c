// Forks from one function of a process with threads, FORKS times; each child makes calls of one
// kind, says what they returned, and execs a program that says what it finds (test_redirect.py
// compares what real and redirected forks print). Usage: redirect_calls KIND FORKS.
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "facts.h"

static volatile sig_atomic_t got[65];
static volatile pid_t sender;
static volatile int sent;
static char *pages;

static void
on_signal(int number, siginfo_t *info, void *context)
{
  (void)context;
  if (number == SIGUSR2) {
    sender = info->si_pid;
    sent = info->si_value.sival_int;
  }
  got[number] = got[number] + 1;
}

static void
say_result(const char *name, long result)
{
  say("%s %s\n", name, result < 0 ? strerrorname_np(errno) : result == 0 ? "0" : "positive");
}

#define SAY(call) say_result(#call, (long)(call))

static void
descriptors(void)
{
  int ends[2];

  SAY(dup2(1, 20));
  SAY(dup3(1, 21, O_CLOEXEC));
  SAY(fcntl(20, F_SETFD, FD_CLOEXEC));
  SAY(fcntl(20, F_DUPFD, 25));
  SAY(close_range(25, 30, 0));
  SAY(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
  SAY(eventfd(0, 0));
  SAY(pipe(ends));
  SAY(epoll_create1(0));
  SAY(inotify_init1(0));
  SAY(memfd_create("m", 0));
  SAY(timerfd_create(CLOCK_MONOTONIC, 0));
  SAY(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  SAY(flock(1, LOCK_SH | LOCK_NB));
  sigset_t set;
  sigemptyset(&set);
  SAY(signalfd(-1, &set, 0));
}

static void
attributes(void)
{
  const struct rlimit stack = {4 << 20, 4 << 20}, files = {300, 300};
  const struct sched_param none = {0};
  cpu_set_t cpus;

  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  SAY(sched_setaffinity(0, sizeof cpus, &cpus));
  SAY(sched_setscheduler(0, SCHED_BATCH, &none));
  SAY(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6)));
  SAY(setpriority(PRIO_PROCESS, 0, 3));
  SAY(nice(2));
  SAY(setrlimit(RLIMIT_STACK, &stack));
  SAY(setrlimit(RLIMIT_NOFILE, &files));
  SAY(prctl(PR_SET_TIMERSLACK, 100000));
  SAY(prctl(PR_SET_CHILD_SUBREAPER, 1));
  SAY(prctl(PR_SET_KEEPCAPS, 1));
  SAY(prctl(PR_CAPBSET_DROP, 21));
  SAY(prctl(PR_SET_DUMPABLE, 0));
  SAY(personality(ADDR_NO_RANDOMIZE));
  SAY(umask(077));
  SAY(chdir("/usr/lib"));
  SAY(chroot("/"));
}

static void
timers(void)
{
  const struct itimerval later = {{0, 0}, {1000, 0}}, profile = {{500, 0}, {2000, 0}};
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  timer_t timer;

  SAY(alarm(3000));
  SAY(setitimer(ITIMER_REAL, &later, NULL));
  SAY(setitimer(ITIMER_PROF, &profile, NULL));
  SAY(timer_create(CLOCK_MONOTONIC, &event, &timer));
}

static void
memory(void)
{
  SAY(mlock(pages, 4096));
  SAY(munlock(pages, 4096));
  SAY(mlockall(MCL_CURRENT));
}

// Undone: the parent's memory is as it was.
static void
mappings(void)
{
  void *more = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  SAY(more == MAP_FAILED ? -1 : 0);
  SAY(munmap(more, 65536));
  SAY(madvise(pages, 4096, MADV_WILLNEED));
  SAY(sbrk(0) == (void *)-1 ? -1 : 0);
}

static void
shared(void)
{
  int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  int lock = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  struct sembuf up = {.sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO};
  void *at = shmat(segment, NULL, 0);

  say("shmat %d, semop %d, shmdt %d\n", at != (void *)-1, semop(lock, &up, 1), shmdt(at));
  SAY(shmctl(segment, IPC_RMID, NULL));
  SAY(semctl(lock, 0, IPC_RMID));
}

static void
namespaces(void)
{
  SAY(unshare(CLONE_FS | CLONE_FILES));
  SAY(unshare(CLONE_NEWUTS));
}

static void
filter(void)
{
  struct sock_filter lines[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {.len = 1, .filter = lines};

  SAY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  SAY(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  SAY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void
signals_parent(void)
{
  SAY(kill(getppid(), SIGUSR1));
  SAY(sigqueue(getppid(), SIGUSR2, (union sigval){.sival_int = 77}));
  SAY(syscall(SYS_kill, getppid(), SIGWINCH));
}

static void
masks(void)
{
  struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
  sigset_t set;
  stack_t none = {.ss_flags = SS_DISABLE};

  SAY(sigaction(SIGUSR1, &ignore, &old));
  say("was ours %d\n", old.sa_sigaction == on_signal);
  SAY(signal(SIGUSR2, SIG_DFL) == SIG_ERR ? -1 : 0);
  SAY(sigaltstack(&none, NULL));
  sigfillset(&set);
  SAY(pthread_sigmask(SIG_BLOCK, &set, NULL));
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  SAY(sigprocmask(SIG_SETMASK, &set, NULL));
}

// By the system call itself: signal() of a runtime of its own.
static void
raw_signals(void)
{
  struct {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } action = {.handler = SIG_IGN};

  SAY(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
}

static void
ids(void)
{
  const gid_t groups[] = {7, 8};

  SAY(setgroups(2, groups));
  SAY(setregid(12345, 12345));
  SAY(setresuid(12346, 12346, 12346));
  SAY(setuid(0));
}

static void
session(void)
{
  say("setsid %d\n", setsid() == getpid());
  say("is leader %d\n", getsid(0) == getpid() && getpgrp() == getpid());
  SAY(setpgid(0, 0));
}

static void
family(void)
{
  SAY(prctl(PR_SET_PDEATHSIG, SIGKILL));
  SAY(prctl(PR_SET_NAME, "family"));
  say("waits %s\n", waitpid(-1, NULL, 0) < 0 ? strerrorname_np(errno) : "?");
  SAY(syscall(SYS_gettid) == getpid() ? 0 : -1);
}

static const struct kind {
  const char *name;
  void (*calls)(void);
} kinds[] = {
    {"descriptors", descriptors},
    {"attributes", attributes},
    {"timers", timers},
    {"memory", memory},
    {"mappings", mappings},
    {"shared", shared},
    {"namespaces", namespaces},
    {"filter", filter},
    {"signals_parent", signals_parent},
    {"masks", masks},
    {"raw_signals", raw_signals},
    {"ids", ids},
    {"session", session},
    {"family", family},
};

static __attribute__((noinline)) pid_t
start(const struct kind *kind)
{
  pid_t child = fork();

  if (child == 0) {
    kind->calls();
    execl("/proc/self/exe", "redirect_calls", (char *)NULL);
    _exit(99);
  }
  return child;
}

static void
say_more(void)
{
  char text[64] = "";
  int fd = open("/proc/self/timerslack_ns", O_RDONLY | O_CLOEXEC);

  if (fd >= 0 && read(fd, text, sizeof text - 1) >= 0)
    close(fd);
  say("personality %x, ioprio %ld, timer slack %s", personality(0xffffffff),
      syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0), text);
  say_lines("/proc/self/status", "VmLck");
  say_lines("/proc/self/status", "CapBnd");
  say_lines("/proc/self/status", "Seccomp:");
  say_lines("/proc/self/coredump_filter", "");
}

static void *
idle(void *unused)
{
  sigset_t all;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  pause();
  return unused;
}

int
main(int argc, char **argv)
{
  static char alternate_stack[64 * 1024];
  const stack_t alternate = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  pthread_t thread;
  int forks = argc > 2 ? atoi(argv[2]) : 1;

  if (argc < 2) {
    say_facts();
    say_more();
    return 6;
  }
  pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  sigaltstack(&alternate, NULL);
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  sigaction(SIGWINCH, &action, NULL);
  sigaction(SIGCHLD, &action, NULL);
  pthread_create(&thread, NULL, idle, NULL);
  for (const struct kind *k = kinds; k < kinds + sizeof kinds / sizeof kinds[0]; k++) {
    for (int i = 0; strcmp(k->name, argv[1]) == 0 && i < forks; i++) {
      int status = 0;
      pid_t child = start(k), waited = waitpid(child, &status, 0);
      say("child %d, status %x, signals %d %d %d %d, from the child %d, value %d\n",
          waited == child, status, (int)got[SIGUSR1], (int)got[SIGUSR2], (int)got[SIGWINCH],
          (int)got[SIGCHLD], sender == child, sent);
    }
  }
  say_facts();
  say_more();
  return 0;
}
