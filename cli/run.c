#include "run.h"
#include "check.h"
#include "json_get.h"
#include "linger.h"
#include "procfs.h"
#include "rundir.h"
#include "session.h"
#include "stuck_fork.h"
#include "watch.h"
#include "tail.h"
#include "text.h"
#include "tracer.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* An exec event may be on its way when the grace period of the model ends. */
static const long long READING_LAG_NS = 20000000;
static const long long NOTICE_AFTER_NS = 100000000;
static const long long KILL_AFTER_NS = 2000000000;
static const long long LINGER_LOOK_NS = 50000000;
static const long long MOST_WAIT_NS = 10000000000;
static const int FORWARDED[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU};

struct driver {
  const struct options *options;
  struct session session;
  struct tail tail;
  int signals, changes; /* signalfd, inotify */
  pid_t command;
  bool ended;
  bool childless;              /* nothing is left below us */
  bool interrupted;            /* by a signal, after the end of the command */
  int status;                  /* of waitpid() */
  bool stopped;                /* the command is */
  bool asked_to_stop;          /* by the terminal, most often: the command decides */
  long long limit_ns, kill_ns; /* CLOCK_MONOTONIC; 0: none */
  bool limit_reached;
  struct watch children;
  struct stuck_forks forks;
  struct linger linger;
  long long next_look_ns, next_forks_ns; /* CLOCK_MONOTONIC */
  long long notice_ns;                   /* when to ask for notice of changes; 0: done */
  sigset_t old_mask;
  struct sigaction old_child, old_pipe;
};

static long long
now_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static char *
own_directory(void)
{
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0)
    die("/proc/self/exe: %m");
  path[n] = 0;
  char *slash = strrchr(path, '/');
  if (slash)
    *slash = 0;
  return xstrdup(path);
}

static char *
find_library(void)
{
  const char *given = getenv("FORKHOUND_LIBRARY");
  if (given && *given) {
    char *absolute = realpath(given, NULL);
    if (!absolute)
      die("cannot find libforkhound.so: FORKHOUND_LIBRARY=%s: %m", given);
    return absolute;
  }
  static const char *const places[] = {"../preload", "../lib/x86_64-linux-gnu", "../lib64",
                                       "../lib"};
  char *directory = own_directory();
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *candidate = xasprintf("%s/%s/libforkhound.so", directory, places[i]);
    char *absolute = realpath(candidate, NULL);
    free(candidate);
    if (absolute) {
      free(directory);
      return absolute;
    }
  }
  die("cannot find libforkhound.so: it is not in ../preload, ../lib/x86_64-linux-gnu, ../lib64 or "
      "../lib of %s: "
      "set FORKHOUND_LIBRARY to its path",
      directory);
}

/* The environment of the command; `library` is NULL to leave LD_PRELOAD as it is. */
static char **
command_environment(const char *library)
{
  extern char **environ;
  size_t count = 0, used = 0;
  while (environ[count])
    count++;
  char **result = xrealloc(NULL, (count + 3) * sizeof *result);
  const char *old = getenv("LD_PRELOAD");
  for (size_t i = 0; i < count; i++) {
    bool replaced = !strncmp(environ[i], "FORKHOUND_EVENTS=", 17) ||
                    (library && !strncmp(environ[i], "LD_PRELOAD=", 11));
    if (!replaced)
      result[used++] = xstrdup(environ[i]);
  }
  if (library)
    result[used++] = old && *old ? xasprintf("LD_PRELOAD=%s:%s", library, old)
                                 : xasprintf("LD_PRELOAD=%s", library);
  result[used++] = xasprintf("FORKHOUND_EVENTS=%s", rundir_events());
  result[used] = NULL;
  return result;
}

static void
take_signals(struct driver *driver)
{
  sigset_t mine;
  sigemptyset(&mine);
  sigaddset(&mine, SIGCHLD);
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++)
    sigaddset(&mine, FORWARDED[i]);
  struct sigaction standard = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGCHLD, &standard, &driver->old_child);
  sigaction(SIGPIPE, &ignore, &driver->old_pipe);
  sigprocmask(SIG_BLOCK, &mine, &driver->old_mask);
  driver->signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
  if (driver->signals < 0)
    die("signalfd: %m");
}

/* In the child: never returns. */
static _Noreturn void
become_command(const struct driver *driver, char **environment, int error_pipe)
{
  sigaction(SIGCHLD, &driver->old_child, NULL);
  sigaction(SIGPIPE, &driver->old_pipe, NULL);
  sigprocmask(SIG_SETMASK, &driver->old_mask, NULL);
  execvpe(driver->options->command[0], driver->options->command, environment);
  int error = errno;
  if (write(error_pipe, &error, sizeof error) < 0)
    _exit(126);
  _exit(127);
}

/* 0, or the errno of the exec that failed. */
static int
start_command(struct driver *driver, char **environment)
{
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC))
    die("pipe: %m");
  driver->command = fork();
  if (driver->command < 0)
    die("fork: %m");
  if (!driver->command)
    become_command(driver, environment, error_pipe[1]);
  close(error_pipe[1]);
  int error = 0;
  ssize_t n;
  do
    n = read(error_pipe[0], &error, sizeof error);
  while (n < 0 && errno == EINTR);
  close(error_pipe[0]);
  return n == (ssize_t)sizeof error ? error : 0;
}

static void
note_blind_spot(struct driver *driver, const struct check *check)
{
  if (!driver->options->quiet)
    message("the library will not be loaded into %s: %s", check->path, check->why);
  char *path = escaped(check->path); /* JSON takes UTF-8 only */
  session_event(&driver->session,
                json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:s}", "v", 1, "event", "blind",
                          "time_ns", (json_int_t)now_ns(CLOCK_REALTIME), "pid",
                          (json_int_t)getpid(), "exe", path, "path", path, "why", check->why));
  free(path);
}

/* The command, and orphans of its tree, which come to us as their subreaper. */
static void
reap(struct driver *driver)
{
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
    if (WIFSTOPPED(status) && pid != driver->command)
      tracer_late_stop(pid, status);
    if (pid != driver->command)
      continue;
    driver->stopped = WIFSTOPPED(status);
    if (WIFSTOPPED(status) || WIFCONTINUED(status))
      continue;
    driver->ended = true;
    driver->status = status;
  }
  driver->childless = pid < 0 && errno == ECHILD;
}

/* An interactive shell waits for us: it is told of a stop, and continues us with `fg`. */
static bool
is_foreground_job(void)
{
  if (getpgrp() != getpid() || getsid(0) == getpid())
    return false;
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  bool foreground = terminal >= 0 && tcgetpgrp(terminal) == getpgrp();
  if (terminal >= 0)
    close(terminal);
  return foreground;
}

/* The command has stopped: so do we, and whoever started us sees what it would see without us. The
   terminal's signals are blocked here: they would stop us at once, and the shell would take the
   terminal away while the command still uses it, or even goes on. */
static void
follow_stop(struct driver *driver)
{
  if (!driver->asked_to_stop && !is_foreground_job())
    return;
  driver->asked_to_stop = false;
  kill(getpid(), SIGSTOP);
}

static bool
ends_wait(int number)
{
  return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

/* What the terminal sends goes to the whole foreground process group: the command has it already.
 */
static void
handle_signals(struct driver *driver)
{
  struct signalfd_siginfo info;
  while (read(driver->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int number = (int)info.ssi_signo;
    driver->asked_to_stop |= number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
    driver->interrupted |= driver->ended && ends_wait(number);
    if (number != SIGCHLD && info.ssi_code != SI_KERNEL && !driver->ended)
      kill(driver->command, number);
  }
  reap(driver);
  if (driver->stopped)
    follow_stop(driver);
  driver->stopped = false;
}

/* The kernel takes some milliseconds to close an inotify descriptor: not for a short command. */
static void
open_changes(struct driver *driver)
{
  if (!driver->notice_ns || now_ns(CLOCK_MONOTONIC) < driver->notice_ns)
    return;
  driver->notice_ns = 0;
  driver->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (driver->changes >= 0 && inotify_add_watch(driver->changes, rundir_events(), IN_MODIFY) < 0) {
    close(driver->changes);
    driver->changes = -1;
  }
}

static void
drain_changes(const struct driver *driver)
{
  char buffer[4096] __attribute__((aligned(8)));
  while (driver->changes >= 0 && read(driver->changes, buffer, sizeof buffer) > 0)
    continue;
}

static void
read_events(struct driver *driver)
{
  if (!tail_read(&driver->tail, session_line, &driver->session))
    die("%s: %m", rundir_events());
}

/* A child is stuck: reports it, and does what --on-deadlock says. */
static void
on_stuck(void *context, pid_t child, json_t *event)
{
  struct driver *driver = context;
  bool proven = !strcmp(get_string(event, "event"), "deadlock");
  session_event(&driver->session, event);
  if (!proven || driver->options->on_deadlock == DEADLOCK_REPORT)
    return;
  if (driver->options->on_deadlock == DEADLOCK_KILL) {
    kill(child, SIGKILL);
    watch_killed(&driver->children, child);
    return;
  }
  kill(child, SIGSTOP);
  message("child %d is stopped: look at it with: gdb -p %d", (int)child, (int)child);
}

/* One that a signal ended wrote no exit event. */
static void
note_end(struct driver *driver, const struct fork_record *fork, pid_t pid, bool killed)
{
  json_t *status = killed ? json_integer(128 + SIGKILL) : NULL;
  session_event(&driver->session,
                json_pack("{s:i, s:s, s:I, s:I, s:O?, s:O?, s:o*, s:s}", "v", 1, "event", "exit",
                          "time_ns", (json_int_t)now_ns(CLOCK_REALTIME), "pid", (json_int_t)pid,
                          "exe", json_object_get(fork->event, "exe"), "fork",
                          json_object_get(fork->event, "id"), "status", status, "by", "forkhound"));
}

/* Of children of children only those that we kill are known to end without an event. */
static void
on_end(void *context, struct fork_record *fork, pid_t pid, bool killed)
{
  struct driver *driver = context;
  read_events(driver);
  bool own_child = fork->child == pid;
  if (own_child ? !fork->ended && !fork_gone(fork, pid) : killed)
    note_end(driver, fork, pid, killed);
}

static void
look_at_children(struct driver *driver)
{
  if (now_ns(CLOCK_MONOTONIC) >= driver->next_look_ns)
    driver->next_look_ns = watch_tick(&driver->children, &driver->session.model);
}

/* All processes of the tree: costs a quarter of a percent of a processor at most. */
static void
look_at_forks(struct driver *driver)
{
  pid_t *pids;
  long long begin = now_ns(CLOCK_MONOTONIC), wait = driver->forks.stuck_after_ns / 2;
  if (begin < driver->next_forks_ns)
    return;
  size_t count = tree_list(&pids);
  stuck_forks_tick(&driver->forks, pids, count);
  free(pids);
  long long took = now_ns(CLOCK_MONOTONIC) - begin;
  wait = wait > 400 * took ? wait : 400 * took;
  wait = wait > WATCH_INTERVAL_NS ? wait : WATCH_INTERVAL_NS;
  driver->next_forks_ns = begin + (wait < MOST_WAIT_NS ? wait : MOST_WAIT_NS);
}

static int
poll_timeout(const struct driver *driver)
{
  long long wait = driver->changes < 0 ? 20000000 : LLONG_MAX;
  long long deadline = model_deadline_ns(&driver->session.model);
  if (deadline >= 0) {
    long long left = deadline + READING_LAG_NS - now_ns(CLOCK_REALTIME);
    wait = left < wait ? left : wait;
  }
  if (driver->children.count > 0 ||
      driver->children.next_fork < driver->session.model.arrived_count) {
    long long left = driver->next_look_ns - now_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  long long until_forks = driver->next_forks_ns - now_ns(CLOCK_MONOTONIC);
  wait = until_forks < wait ? until_forks : wait;
  long long end = driver->kill_ns ? driver->kill_ns : driver->limit_reached ? 0 : driver->limit_ns;
  if (end) {
    long long left = end - now_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  if (driver->limit_reached && wait > 20000000)
    wait = 20000000;
  if (driver->linger.until_ns) {
    long long left = driver->linger.next_ns - now_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  wait = wait < 0 ? 0 : wait / 1000000 + 1;
  return wait > 1000000 ? 1000000 : (int)wait;
}

/* All below us, or without their list at least the command. */
static void
end_all(const struct driver *driver, int signal)
{
  if (!tree_kill(signal) && !driver->ended)
    kill(driver->command, signal);
}

static void
check_limit(struct driver *driver)
{
  long long now = now_ns(CLOCK_MONOTONIC);
  if (driver->limit_ns && !driver->limit_reached && now >= driver->limit_ns) {
    driver->limit_reached = true;
    driver->kill_ns = now + KILL_AFTER_NS;
    end_all(driver, SIGTERM);
    end_all(driver, SIGCONT);
    message("time limit of %g s reached: ended the program", driver->options->time_limit);
  }
  if (driver->kill_ns && now >= driver->kill_ns) {
    end_all(driver, SIGKILL);
    driver->kill_ns = now + 50000000;
  }
}

/* The command has left something behind. */
static bool
left_alone(struct driver *driver)
{
  long long now = now_ns(CLOCK_MONOTONIC);
  if (!driver->linger.until_ns) {
    linger_begin(&driver->linger, now, driver->children.stuck_after_ns);
    driver->next_look_ns = now;
  }
  if (driver->next_look_ns > now + LINGER_LOOK_NS)
    driver->next_look_ns = now + LINGER_LOOK_NS;
  return !linger_on(&driver->linger, &driver->children, now);
}

/* After the time limit everything below us must be gone, not only the command. */
static bool
finished(struct driver *driver)
{
  if (!driver->ended)
    return false;
  if (driver->limit_reached)
    return !tree_kill(0);
  return driver->childless || driver->interrupted || left_alone(driver);
}

static void
watch(struct driver *driver)
{
  while (!finished(driver)) {
    struct pollfd fds[] = {{.fd = driver->signals, .events = POLLIN},
                           {.fd = driver->changes, .events = POLLIN}};
    poll(fds, 2, poll_timeout(driver));
    open_changes(driver);
    drain_changes(driver);
    handle_signals(driver);
    read_events(driver);
    session_tick(&driver->session, now_ns(CLOCK_REALTIME) - READING_LAG_NS);
    look_at_children(driver);
    look_at_forks(driver);
    check_limit(driver);
  }
}

/* Those that ended before they were watched. */
static void
note_vanished_children(struct driver *driver)
{
  struct model *model = &driver->session.model;
  for (size_t i = model->undecided_count; i-- > 0;) {
    const struct fork_record *fork = model->forks[model->undecided[i]];
    if (!process_alive((pid_t)fork->child))
      note_end(driver, fork, (pid_t)fork->child, false);
  }
}

static int
own_status(const struct driver *driver)
{
  if (driver->limit_reached)
    return 124;
  if (session_failed(&driver->session))
    return driver->options->error_exitcode;
  return WIFSIGNALED(driver->status) ? 128 + WTERMSIG(driver->status) : WEXITSTATUS(driver->status);
}

static int
finish(struct driver *driver)
{
  read_events(driver);
  watch_sweep(&driver->children, &driver->session.model);
  note_vanished_children(driver);
  read_events(driver);
  session_tick(&driver->session, now_ns(CLOCK_REALTIME));
  tail_finish(&driver->tail, session_line, &driver->session);
  int status = own_status(driver);
  session_event(&driver->session, json_pack("{s:i, s:s, s:I, s:I, s:i}", "v", 1, "event", "end",
                                            "time_ns", (json_int_t)now_ns(CLOCK_REALTIME), "pid",
                                            (json_int_t)getpid(), "status", status));
  if (driver->session.bad_line)
    message("event %zu is not a whole event", driver->session.bad_line);
  session_close(&driver->session, false, status);
  watch_free(&driver->children);
  stuck_forks_free(&driver->forks);
  linger_free(&driver->linger);
  return status;
}

int
run(const struct options *options)
{
  struct driver driver = {.options = options, .changes = -1};
  char *library = find_library();
  struct check check = check_command(options->command[0], library);
  session_open(&driver.session, options, stderr);
  watch_init(&driver.children, (long long)(options->stuck_after * 1e9));
  driver.forks.stuck_after_ns = driver.children.stuck_after_ns;
  driver.forks.found = on_stuck;
  driver.forks.context = &driver;
  driver.next_forks_ns = now_ns(CLOCK_MONOTONIC) + driver.children.stuck_after_ns;
  driver.children.root = getpid(); /* the subreaper of the tree */
  driver.children.found = on_stuck;
  driver.children.ended = on_end;
  driver.children.context = &driver;
  take_signals(&driver);
  driver.tail.fd = rundir_make();
  driver.notice_ns = now_ns(CLOCK_MONOTONIC) + NOTICE_AFTER_NS;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1))
    die("prctl: PR_SET_CHILD_SUBREAPER: %m");
  char *preload = check.preload_harms ? NULL : rundir_preloadable(library);
  char **environment = command_environment(preload);
  if (check.why)
    note_blind_spot(&driver, &check);
  if (!procfs_is_own())
    message("/proc is not there, or not that of this PID namespace: children are not watched");
  if (options->time_limit > 0)
    driver.limit_ns = now_ns(CLOCK_MONOTONIC) + (long long)(options->time_limit * 1e9);
  int error = start_command(&driver, environment);
  int status;
  if (error) {
    message("%s: %s", options->command[0], strerror(error));
    status = error == ENOENT ? 127 : 126;
  } else {
    watch(&driver);
    status = finish(&driver);
  }
  rundir_remove();
  return status;
}
