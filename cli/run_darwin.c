/* `forkhound run` on macOS. Nothing here but POSIX: what is macOS's own is in system_darwin.c. */
#include "check.h"
#include "command_environment.h"
#include "find_command.h"
#include "json_get.h"
#include "run.h"
#include "rundir.h"
#include "session_notes.h"
#include "system_darwin.h"
#include "tail.h"
#include "text.h"
#include "watch_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* An exec event may be on its way when the grace period of the model ends. */
static const long long READING_LAG_NS = 20000000;
static const long long KILL_AFTER_NS = 2000000000;
static const int LOOK_MS = 20;
static const int FORWARDED[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

struct driver {
  const struct options *options;
  struct session session;
  struct tail tail;
  struct sample_watch children;
  pid_t command;
  bool ended, limit_reached;
  int status;                           /* of waitpid() */
  long long limit_ns, kill_ns, left_ns; /* CLOCK_MONOTONIC; 0: none */
};

static volatile sig_atomic_t pending[NSIG]; /* to be forwarded */
static int wake[2];                         /* a byte for each signal */

static long long
now_ns(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static char *
find_library(void)
{
  const char *given = getenv("FORKHOUND_LIBRARY");
  if (given && *given) {
    char *absolute = realpath(given, NULL);
    if (!absolute)
      die("cannot find libforkhound.dylib: FORKHOUND_LIBRARY=%s: %m", given);
    return absolute;
  }
  char *directory = system_own_path();
  *strrchr(directory, '/') = 0;
  static const char *const places[] = {"../preload", "../lib"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *candidate = xasprintf("%s/%s/libforkhound.dylib", directory, places[i]);
    char *absolute = realpath(candidate, NULL);
    free(candidate);
    if (absolute) {
      free(directory);
      return absolute;
    }
  }
  die("cannot find libforkhound.dylib: it is not in ../preload or ../lib of %s: set "
      "FORKHOUND_LIBRARY to its path",
      directory);
}

/* What the terminal sends, the kernel does, and to the whole foreground process group: the command
   has it already. */
static void
on_signal(int number, siginfo_t *info, void *unused)
{
  int saved = errno;
  (void)unused;
  if (number != SIGCHLD && info->si_pid > 0)
    pending[number] = 1;
  if (write(wake[1], "", 1) < 0) {
    /* full: whoever reads it wakes anyway */
  }
  errno = saved;
}

static void
take_signals(void)
{
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction old;
  if (pipe(wake))
    die("pipe: %m");
  for (int i = 0; i < 2; i++) {
    fcntl(wake[i], F_SETFD, FD_CLOEXEC);
    fcntl(wake[i], F_SETFL, O_NONBLOCK);
  }
  sigaction(SIGCHLD, &action, NULL);
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++) {
    sigaction(FORWARDED[i], NULL, &old);
    if (old.sa_handler != SIG_IGN)
      sigaction(FORWARDED[i], &action, NULL);
  }
}

/* In the child: never returns. Handlers go with the exec. */
static _Noreturn void
become_command(char **arguments, const char *path, char **environment, int error_pipe)
{
  if (path)
    execve(path, arguments, environment);
  else
    errno = ENOENT;
  int error = errno;
  if (error == ENOEXEC) { /* a script without a first line, as execvp() takes it */
    extern char **environ;
    environ = environment;
    execvp(arguments[0], arguments);
  }
  if (write(error_pipe, &error, sizeof error) < 0)
    _exit(126);
  _exit(127);
}

/* 0, or the errno of the exec that failed. */
static int
start_command(struct driver *driver, char **environment)
{
  int error_pipe[2], error = 0;
  char *path = find_command(driver->options->command[0]);
  if (!path && !access(driver->options->command[0], F_OK) &&
      strchr(driver->options->command[0], '/'))
    path = xstrdup(driver->options->command[0]); /* exec says why not */
  if (pipe(error_pipe))
    die("pipe: %m");
  fcntl(error_pipe[0], F_SETFD, FD_CLOEXEC);
  fcntl(error_pipe[1], F_SETFD, FD_CLOEXEC);
  driver->command = fork();
  if (driver->command < 0)
    die("fork: %m");
  if (!driver->command)
    become_command(driver->options->command, path, environment, error_pipe[1]);
  free(path);
  close(error_pipe[1]);
  ssize_t n;
  do
    n = read(error_pipe[0], &error, sizeof error);
  while (n < 0 && errno == EINTR);
  close(error_pipe[0]);
  return n == (ssize_t)sizeof error ? error : 0;
}

static void
read_events(struct driver *driver)
{
  if (!tail_read(&driver->tail, session_line, &driver->session))
    die("%s: %m", rundir_events());
}

static void
on_stuck(void *context, json_t *event)
{
  struct driver *driver = context;
  session_event(&driver->session, event);
}

static void
reap(struct driver *driver)
{
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (sample_watch_reaped(&driver->children, pid, status) || pid != driver->command)
      continue;
    driver->ended = true;
    driver->status = status;
  }
}

static void
handle_signals(struct driver *driver)
{
  char bytes[64];
  while (read(wake[0], bytes, sizeof bytes) > 0)
    continue;
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++) {
    if (!pending[FORWARDED[i]])
      continue;
    pending[FORWARDED[i]] = 0;
    if (!driver->ended)
      kill(driver->command, FORWARDED[i]);
    else
      driver->left_ns = 1;
  }
  reap(driver);
}

/* The command and the children that are known. */
static void
kill_all(const struct driver *driver, int number)
{
  if (!driver->ended)
    kill(driver->command, number);
  for (size_t i = 0; i < driver->children.count; i++)
    kill(driver->children.list[i].pid, number);
}

static void
check_limit(struct driver *driver)
{
  long long now = now_ns(CLOCK_MONOTONIC);
  if (driver->limit_ns && !driver->limit_reached && now >= driver->limit_ns) {
    driver->limit_reached = true;
    driver->kill_ns = now + KILL_AFTER_NS;
    kill_all(driver, SIGTERM);
    message("time limit of %g s reached: ended the program", driver->options->time_limit);
  }
  if (driver->kill_ns && now >= driver->kill_ns)
    kill_all(driver, SIGKILL);
}

/* Children that the command has left behind are looked at once, if they live so long. */
static bool
finished(struct driver *driver)
{
  if (!driver->ended)
    return false;
  long long now = now_ns(CLOCK_MONOTONIC);
  if (!driver->left_ns)
    driver->left_ns = now + driver->children.stuck_after_ns + KILL_AFTER_NS;
  if (driver->limit_reached) /* one of other rights than ours may stay */
    return driver->children.count == 0 || now >= driver->kill_ns + KILL_AFTER_NS;
  return !sample_watch_busy(&driver->children) || now >= driver->left_ns;
}

static void
watch(struct driver *driver)
{
  do {
    struct pollfd fd = {.fd = wake[0], .events = POLLIN};
    poll(&fd, 1, LOOK_MS);
    handle_signals(driver);
    read_events(driver);
    session_tick(&driver->session, now_ns(CLOCK_REALTIME) - READING_LAG_NS);
    sample_watch_tick(&driver->children, &driver->session.model);
    check_limit(driver);
  } while (!finished(driver));
}

/* Those that a signal ended wrote no exit event. */
static void
note_vanished_children(struct driver *driver)
{
  struct model *model = &driver->session.model;
  for (size_t i = model->undecided_count; i-- > 0;) {
    const struct fork_record *fork = model->forks[model->undecided[i]];
    if (!kill((pid_t)fork->child, 0) || errno == EPERM)
      continue;
    session_note_exit(&driver->session, fork, (pid_t)fork->child, false);
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
  note_vanished_children(driver);
  session_tick(&driver->session, now_ns(CLOCK_REALTIME));
  tail_finish(&driver->tail, session_line, &driver->session);
  int status = own_status(driver);
  session_note_end(&driver->session, status);
  if (driver->session.bad_count)
    message("event %zu is not a whole event", driver->session.bad_lines[0]);
  session_close(&driver->session, false, status);
  return status;
}

int
run(const struct options *options)
{
  struct driver driver = {.options = options};
  char *library = find_library();
  struct check check = check_command(options->command[0], library);
  session_open(&driver.session, options, stderr);
  take_signals();
  driver.tail.fd = rundir_make(false);
  sample_watch_init(&driver.children, rundir_events(), (long long)(options->stuck_after * 1e9));
  driver.children.found = on_stuck;
  driver.children.context = &driver;
  char *variables[2] = {xasprintf("FORKHOUND_EVENTS=%s", rundir_events())};
  size_t count = 1;
  if (!check.preload_harms)
    variables[count++] = environment_prepend("DYLD_INSERT_LIBRARIES", rundir_preloadable(library));
  char **environment = command_environment(variables, count);
  if (options->redirect != REDIRECT_OFF)
    message("--redirect is not for macOS: forks are carried out as they are");
  if (options->redirect_python)
    message("--redirect-python is not for macOS, where multiprocessing spawns by itself");
  if (check.why && !options->quiet)
    message("the library will not be loaded into %s: %s; nor will it be into what that starts, "
            "which does not get DYLD_INSERT_LIBRARIES",
            check.path, check.why);
  if (check.why)
    session_note_blind(&driver.session, check.path, check.why);
  if (options->time_limit > 0)
    driver.limit_ns = now_ns(CLOCK_MONOTONIC) + (long long)(options->time_limit * 1e9);
  int error = start_command(&driver, environment);
  int status = error == ENOENT ? 127 : 126;
  if (error) {
    message("%s: %s", options->command[0], strerror(error));
  } else {
    watch(&driver);
    status = finish(&driver);
  }
  sample_watch_free(&driver.children);
  rundir_remove();
  return status;
}
