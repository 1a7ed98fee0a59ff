// Prints what a process can observe of itself, in a form that does not depend on process ids.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

// write() only: a child with borrowed memory may do it.
__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
  char text[1024];
  va_list list;

  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  if (write(STDOUT_FILENO, text, (size_t)n) != n)
    _exit(98);
}

static void
say_file(const char *name, const char *path)
{
  char text[512];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

  if (n >= 0)
    close(fd);
  text[n > 0 ? n : 0] = 0;
  say("%s: %s%s", name, text, strchr(text, '\n') ? "" : "\n");
}

// The lines of a file that begin so.
static void
say_lines(const char *path, const char *begin)
{
  char text[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

  if (n >= 0)
    close(fd);
  text[n > 0 ? n : 0] = 0;
  for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
    if (strncmp(line, begin, strlen(begin)) == 0)
      say("%.*s\n", (int)strcspn(line, "\n"), line);
    if (!strchr(line, '\n'))
      break;
  }
}

static void
say_descriptors(void)
{
  for (int fd = 0; fd < 32; fd++) {
    struct stat st;
    if (fstat(fd, &st) == 0)
      say("descriptor %d: type %o, flags %x, status %x\n", fd, st.st_mode & S_IFMT,
          fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
  }
}

static void
say_signals(void)
{
  sigset_t mask, pending;

  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigpending(&pending);
  for (int i = 1; i < NSIG; i++) {
    struct sigaction action;
    if (sigaction(i, NULL, &action) != 0)
      continue;
    bool ignored = action.sa_handler == SIG_IGN, handled = !ignored && action.sa_handler != SIG_DFL;
    if (ignored || handled || sigismember(&mask, i) == 1 || sigismember(&pending, i) == 1)
      say("signal %d:%s%s%s%s flags %x\n", i, ignored ? " ignored" : "", handled ? " handled" : "",
          sigismember(&mask, i) == 1 ? " blocked" : "",
          sigismember(&pending, i) == 1 ? " pending" : "", action.sa_flags & ~0x04000000);
  }
  say_lines("/proc/self/status", "SigBlk");
  say_lines("/proc/self/status", "SigIgn");
  stack_t alternate;
  sigaltstack(NULL, &alternate);
  say("alternate stack: %s, %zu bytes\n", alternate.ss_flags & SS_DISABLE ? "none" : "set",
      alternate.ss_flags & SS_DISABLE ? 0 : alternate.ss_size);
}

static void
say_ids(void)
{
  gid_t groups[64];
  uid_t real, effective, saved;
  gid_t real_group, effective_group, saved_group;

  getresuid(&real, &effective, &saved);
  getresgid(&real_group, &effective_group, &saved_group);
  say("ids: %d %d %d, %d %d %d; groups:", (int)real, (int)effective, (int)saved, (int)real_group,
      (int)effective_group, (int)saved_group);
  int n = getgroups(64, groups);
  for (int i = 0; i < n; i++)
    say(" %d", (int)groups[i]);
  say("\n");
}

static void
say_limits(void)
{
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    struct rlimit limit;
    getrlimit(i, &limit);
    say("limit %d: %lld %lld\n", i, (long long)limit.rlim_cur, (long long)limit.rlim_max);
  }
}

static void
say_facts(void)
{
  char path[PATH_MAX];
  mode_t mask = umask(0);
  struct itimerval timer;
  int value = 0;
  cpu_set_t cpus;

  umask(mask);
  say("umask %o, directory %s\n", mask, getcwd(path, sizeof path));
  errno = 0;
  say("nice %d, scheduler %d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
  sched_getaffinity(0, sizeof cpus, &cpus);
  say("processors %d\n", CPU_COUNT(&cpus));
  getitimer(ITIMER_REAL, &timer);
  say("alarm %s\n", timer.it_value.tv_sec || timer.it_value.tv_usec ? "set" : "none");
  prctl(PR_GET_PDEATHSIG, &value);
  say("parent death signal %d, dumpable %d, no new privileges %d, keeps capabilities %d\n", value,
      prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_KEEPCAPS));
  say("subreaper: %d\n", prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 ? value : -1);
  say("session %s, group %s\n", getsid(0) == getpid() ? "its own" : "another's",
      getpgrp() == getpid() ? "its own" : "another's");
  int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
  pid_t foreground = terminal < 0 ? -1 : tcgetpgrp(terminal);
  if (terminal >= 0)
    close(terminal);
  say("terminal: %s%s\n", terminal < 0 ? "none" : "one",
      foreground == getpgrp() ? ", in the foreground" : "");
  say("environment: %s %s\n", getenv("SAME") ? getenv("SAME") : "-",
      getenv("OTHER") ? getenv("OTHER") : "-");
  say_file("oom_score_adj", "/proc/self/oom_score_adj");
  say_file("name", "/proc/self/comm");
  say_ids();
  say_limits();
  say_signals();
  say_descriptors();
}
