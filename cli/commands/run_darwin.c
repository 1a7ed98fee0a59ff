// `forkhound run` on macOS. Nothing here but POSIX: what is macOS's own is in system_darwin.c.
#include "launch/check_command.h"
#include "base/clock.h"
#include "launch/command_environment.h"
#include "launch/job_darwin.h"
#include "base/json_fields.h"
#include "run.h"
#include "session/run_end.h"
#include "launch/run_directory.h"
#include "session/session_notes.h"
#include "process/system_darwin.h"
#include "base/line_tail.h"
#include "base/message.h"
#include "launch/time_limit.h"
#include "watch/darwin_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// An exec event may be on its way when the grace period of the model ends.
static const long long READING_LAG_NS = 20000000;
// How long what the command left behind, or what did not end when it had to, is waited for.
static const long long LEFT_NS = 2000000000, LIMIT_LEFT_NS = 4000000000;
static const int LOOK_MS = 20;

struct driver {
  const struct options *options;
  struct session session;
  struct tail tail;
  struct sample_watch children;
  struct job job;
  struct time_limit limit;
  long long left_ns;  // CLOCK_MONOTONIC; 0: the command runs
};

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

static void
read_events(struct driver *driver)
{
  if (tail_read(&driver->tail, session_line, &driver->session) == TAIL_FAILED)
    die("%s: %m", rundir_events());
}

static void
on_stuck(void *context, json_t *event)
{
  struct driver *driver = context;
  pid_t child = (pid_t)get_integer(event, "pid");
  enum stuck_action action = driver->options->on_suspect;
  session_event(&driver->session, event);
  if (action != STUCK_REPORT)
    kill(child, action == STUCK_KILL ? SIGKILL : SIGSTOP);
}

static void
reap(struct driver *driver)
{
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (!sample_watch_reaped(&driver->children, pid, status))
      job_reaped(&driver->job, pid, status);
  }
}

// The command and the children that are known.
static void
kill_all(const struct driver *driver, int number)
{
  if (!driver->job.ended)
    kill(driver->job.command, number);
  for (size_t i = 0; i < driver->children.count; i++)
    kill(driver->children.list[i].pid, number);
}

static void
check_limit(struct driver *driver)
{
  int number = time_limit_signal(&driver->limit);
  if (number)
    kill_all(driver, number);
}

// Children that the command has left behind are looked at once, if they live so long.
static bool
finished(struct driver *driver)
{
  if (!driver->job.ended)
    return false;
  long long now = clock_ns(CLOCK_MONOTONIC);
  if (!driver->left_ns)
    driver->left_ns = now + driver->children.stuck_after_ns + LEFT_NS;
  if (driver->limit.reached_ns)  // one of other rights than ours may stay
    return driver->children.count == 0 || now >= driver->limit.reached_ns + LIMIT_LEFT_NS;
  return !sample_watch_busy(&driver->children) || driver->job.interrupted || now >= driver->left_ns;
}

static void
watch(struct driver *driver)
{
  do {
    struct pollfd fd = {.fd = driver->job.wake, .events = POLLIN};
    poll(&fd, 1, LOOK_MS);
    job_forward_signals(&driver->job);
    reap(driver);
    read_events(driver);
    session_tick(&driver->session, clock_ns(CLOCK_REALTIME) - READING_LAG_NS);
    sample_watch_tick(&driver->children, &driver->session.model);
    check_limit(driver);
  } while (!finished(driver));
}

// Those that a signal ended wrote no exit event.
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
finish(struct driver *driver)
{
  read_events(driver);
  note_vanished_children(driver);
  return run_end(&driver->session, &driver->tail, driver->job.status,
                 driver->limit.reached_ns ? END_TIME_LIMIT : END_OWN);
}

int
run(const struct options *options)
{
  struct driver driver = {.options = options};
  char *library = find_library();
  struct check check = check_command(options->command[0], library);
  session_open(&driver.session, options, stderr);
  job_take_signals(&driver.job);
  rundir_choose();
  driver.tail.fd = rundir_make();
  sample_watch_init(&driver.children, rundir_events(), (long long)(options->stuck_after * 1e9));
  driver.children.found = on_stuck;
  driver.children.context = &driver;
  char *variables[2] = {xasprintf("FORKHOUND_EVENTS=%s", rundir_events())};
  size_t count = 1;
  if (!check.preload_harms)
    variables[count++] = environment_prepend(
        "DYLD_INSERT_LIBRARIES", rundir_nameable(library, ":", "DYLD_INSERT_LIBRARIES"));
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
  time_limit_begin(&driver.limit, options->time_limit);
  int error = job_start(&driver.job, options->command, environment);
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
