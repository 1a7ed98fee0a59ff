#include "run.h"
#include "symbols/frame.h"
#include "launch/check_command.h"
#include "base/clock.h"
#include "inspect/coverage.h"
#include "session/given_up.h"
#include "watch/grace.h"
#include "launch/installed_paths.h"
#include "launch/job.h"
#include "base/json_fields.h"
#include "launch/launch.h"
#include "model/learned_rules.h"
#include "watch/linger.h"
#include "process/procfs.h"
#include "session/run_end.h"
#include "launch/run_directory.h"
#include "session/session_notes.h"
#include "session/still_waiting.h"
#include "watch/stuck_fork_call.h"
#include "watch/watch.h"
#include "base/line_tail.h"
#include "base/message.h"
#include "symbolizer/symbolizer.h"
#include "launch/time_limit.h"
#include "process/process_tree.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

// An exec event may be on its way when the grace period of the model ends.
static const long long READING_LAG_NS = 20000000;
static const long long NOTICE_AFTER_NS = 100000000;
static const long long LINGER_LOOK_NS = 50000000;
static const long long MOST_WAIT_NS = 10000000000;
enum { MOST_LAST_READS = 64 };  // of 32 MiB, after the end: something may still be writing

struct driver {
  const struct options *options;
  struct session session;
  struct tail tail;
  struct job job;
  int changes;  // inotify
  struct time_limit limit;
  struct watch children;
  struct stuck_forks forks;
  struct coverage coverage;
  struct linger linger;
  struct grace grace;
  bool given_up;
  bool more_events;                                         // could be read at once
  long long next_look_ns, next_forks_ns, next_coverage_ns;  // CLOCK_MONOTONIC
  long long notice_ns;  // when to ask for notice of changes; 0: done
  pid_t *doomed;        // to be killed for what was found
  size_t doomed_count;
};

// The kernel takes some milliseconds to close an inotify descriptor: not for a short command.
static void
open_changes(struct driver *driver)
{
  if (!driver->notice_ns || clock_ns(CLOCK_MONOTONIC) < driver->notice_ns)
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

// What a program that the library is not in starts may be without it too: it is looked for at once.
static void
read_events(struct driver *driver)
{
  size_t blind = driver->session.model.blind_count;
  enum tail_result result = tail_read(&driver->tail, session_line, &driver->session);
  if (result == TAIL_FAILED)
    die("%s: %m", rundir_events());
  driver->more_events = result == TAIL_MORE;
  if (driver->session.model.blind_count != blind) {
    driver->coverage.interval_ns = COVERAGE_FIRST_NS;
    driver->next_coverage_ns = clock_ns(CLOCK_MONOTONIC) + COVERAGE_FIRST_NS;
  }
}

static void
doom(struct driver *driver, pid_t child)
{
  watch_killed(&driver->children, child);
  driver->doomed = xrealloc(driver->doomed, (driver->doomed_count + 1) * sizeof *driver->doomed);
  driver->doomed[driver->doomed_count++] = child;
}

// Not one by one: where one child has ended, an executor ends the others, before they are looked
// at.
static void
kill_doomed(struct driver *driver)
{
  while (driver->doomed_count > 0)
    kill(driver->doomed[--driver->doomed_count], SIGKILL);
}

// Ends the command, as the time limit would. `why`: freed here; NULL: there is no reason to.
static void
give_up(struct driver *driver, char *why)
{
  if (why && !driver->given_up && !driver->job.ended && !driver->limit.reached_ns) {
    driver->given_up = true;
    given_up(&driver->session, driver->job.command, driver->grace.forker, why);
    time_limit_reach(&driver->limit);
  }
  free(why);
}

static void
note_ended(struct driver *driver, const json_t *event, pid_t child)
{
  const struct fork_record *fork = model_fork(&driver->session.model, get_string(event, "fork"));
  char *place = stack_place_of_thread(event);
  struct ended_child ended = {.place = place,
                              .pid = child,
                              .forker = fork ? (pid_t)get_integer(fork->event, "pid") : 0,
                              .forked_ns = fork ? fork->time_ns : 0};
  give_up(driver, grace_ended_child(&driver->grace, &ended, driver->session.model.fork_count));
  free(place);
}

// A child is stuck: reports it, and does what --on-deadlock or --on-suspect says.
static void
on_stuck(void *context, pid_t child, json_t *event)
{
  struct driver *driver = context;
  bool proven = !strcmp(get_string(event, "event"), "deadlock");
  enum stuck_action action = proven ? driver->options->on_deadlock : driver->options->on_suspect;
  json_incref(event);
  session_event(&driver->session, event);
  if (action == STUCK_KILL) {
    doom(driver, child);
    note_ended(driver, event, child);
  }
  json_decref(event);
  if (action == STUCK_KILL)
    return;
  if (action == STUCK_REPORT)
    return;
  kill(child, SIGSTOP);
  message("child %d is stopped: look at it with: gdb -p %d", (int)child, (int)child);
}

// Of children of children only those that we kill are known to end without an event.
static void
on_end(void *context, struct fork_record *fork, pid_t pid, bool killed)
{
  struct driver *driver = context;
  read_events(driver);
  bool own_child = fork->child == pid;
  if (own_child ? !fork->ended && !fork_gone(fork, pid) : killed)
    session_note_exit(&driver->session, fork, pid, killed);
}

static void
on_unseen(void *context, const struct fork_record *fork)
{
  struct driver *driver = context;
  const char *exe = get_string(fork->event, "exe");
  session_note_blind(&driver->session, exe ? exe : "?",
                     "in a PID namespace below, where its children are like those of others: they "
                     "are not watched");
}

static void
look_at_children(struct driver *driver)
{
  if (clock_ns(CLOCK_MONOTONIC) >= driver->next_look_ns)
    driver->next_look_ns = watch_tick(&driver->children, &driver->session.model);
  kill_doomed(driver);
}

// All processes of the tree: costs a quarter of a percent of a processor at most.
static void
look_at_forks(struct driver *driver)
{
  pid_t *pids;
  long long begin = clock_ns(CLOCK_MONOTONIC), wait = driver->forks.stuck_after_ns / 2;
  if (begin < driver->next_forks_ns)
    return;
  size_t count = tree_list(&pids);
  stuck_forks_tick(&driver->forks, pids, count);
  free(pids);
  long long took = clock_ns(CLOCK_MONOTONIC) - begin;
  wait = wait > 400 * took ? wait : 400 * took;
  wait = wait > WATCH_INTERVAL_NS ? wait : WATCH_INTERVAL_NS;
  driver->next_forks_ns = begin + (wait < MOST_WAIT_NS ? wait : MOST_WAIT_NS);
}

// A program that runs without the library is a blind spot; one that is told already is not told
// again.
static void
on_uncovered(void *context, const char *exe)
{
  struct driver *driver = context;
  read_events(driver);
  if (!model_is_blind_to(&driver->session.model, exe))
    session_note_blind(&driver->session, exe, "ran without the library");
}

// All processes of the tree, soon after they begin: half a percent of a processor at most.
static void
look_at_programs(struct driver *driver)
{
  long long begin = clock_ns(CLOCK_MONOTONIC);
  if (begin < driver->next_coverage_ns)
    return;
  long long wait = coverage_tick(&driver->coverage);
  long long took = clock_ns(CLOCK_MONOTONIC) - begin;
  driver->next_coverage_ns = begin + (wait > 200 * took ? wait : 200 * took);
}

static int
poll_timeout(const struct driver *driver)
{
  long long wait = driver->more_events ? 0 : driver->changes < 0 ? 20000000 : LLONG_MAX;
  long long deadline = model_deadline_ns(&driver->session.model);
  if (deadline >= 0) {
    long long left = deadline + READING_LAG_NS - clock_ns(CLOCK_REALTIME);
    wait = left < wait ? left : wait;
  }
  if (driver->children.count > 0 ||
      driver->children.next_fork < driver->session.model.arrived_count) {
    long long left = driver->next_look_ns - clock_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  long long until_forks = driver->next_forks_ns - clock_ns(CLOCK_MONOTONIC);
  wait = until_forks < wait ? until_forks : wait;
  long long until_coverage = driver->next_coverage_ns - clock_ns(CLOCK_MONOTONIC);
  wait = until_coverage < wait ? until_coverage : wait;
  if (driver->limit.next_ns) {
    long long left = driver->limit.next_ns - clock_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  if (driver->grace.next_ns) {
    long long left = driver->grace.next_ns - clock_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  if (driver->limit.reached_ns && wait > 20000000)
    wait = 20000000;
  if (driver->linger.until_ns) {
    long long left = driver->linger.next_ns - clock_ns(CLOCK_MONOTONIC);
    wait = left < wait ? left : wait;
  }
  wait = wait < 0 ? 0 : wait / 1000000 + 1;
  return wait > 1000000 ? 1000000 : (int)wait;
}

// All below us, or without their list at least the command.
static void
end_all(const struct driver *driver, int signal)
{
  if (!tree_kill(signal) && !driver->job.ended)
    kill(driver->job.command, signal);
}

static void
check_limit(struct driver *driver)
{
  int signal = time_limit_signal(&driver->limit);
  if (signal == SIGTERM && !driver->given_up)
    still_waiting(&driver->children, &driver->session);
  if (signal)
    end_all(driver, signal);
  if (signal == SIGTERM)
    end_all(driver, SIGCONT);
}

// The command has left something behind.
static bool
left_alone(struct driver *driver)
{
  long long now = clock_ns(CLOCK_MONOTONIC);
  if (!driver->linger.until_ns) {
    linger_begin(&driver->linger, now, driver->children.stuck_after_ns);
    driver->next_look_ns = now;
  }
  if (driver->next_look_ns > now + LINGER_LOOK_NS)
    driver->next_look_ns = now + LINGER_LOOK_NS;
  return !linger_on(&driver->linger, &driver->children, now);
}

// After the time limit everything below us must be gone, not only the command.
static bool
finished(struct driver *driver)
{
  if (!driver->job.ended)
    return false;
  if (driver->limit.reached_ns)
    return !tree_kill(0);
  return driver->job.childless || driver->job.interrupted || left_alone(driver);
}

static void
watch(struct driver *driver)
{
  while (!finished(driver)) {
    struct pollfd fds[] = {{.fd = driver->job.signals, .events = POLLIN},
                           {.fd = driver->changes, .events = POLLIN}};
    poll(fds, 2, poll_timeout(driver));
    open_changes(driver);
    drain_changes(driver);
    job_handle_signals(&driver->job);
    read_events(driver);
    session_tick(&driver->session, clock_ns(CLOCK_REALTIME) - READING_LAG_NS);
    look_at_children(driver);
    look_at_forks(driver);
    give_up(driver, grace_look(&driver->grace, driver->session.model.fork_count));
    look_at_programs(driver);
    check_limit(driver);
  }
}

// Those that ended before they were watched.
static void
note_vanished_children(struct driver *driver)
{
  struct model *model = &driver->session.model;
  for (size_t i = model->undecided_count; i-- > 0;) {
    const struct fork_record *fork = model->forks[model->undecided[i]];
    if (!process_alive((pid_t)fork->child))
      session_note_exit(&driver->session, fork, (pid_t)fork->child, false);
  }
}

static int
finish(struct driver *driver)
{
  job_handle_signals(&driver->job);  // what the time limit has ended is not left to init to reap
  read_events(driver);
  watch_sweep(&driver->children, &driver->session.model);
  note_vanished_children(driver);
  for (int i = 0; i < MOST_LAST_READS && (i == 0 || driver->more_events); i++)
    read_events(driver);
  int status = run_end(&driver->session, &driver->tail, driver->job.status,
                       driver->given_up           ? END_GIVEN_UP
                       : driver->limit.reached_ns ? END_TIME_LIMIT
                                                  : END_OWN);
  watch_free(&driver->children);
  stuck_forks_free(&driver->forks);
  coverage_free(&driver->coverage);
  linger_free(&driver->linger);
  free(driver->doomed);
  grace_free(&driver->grace);
  return status;
}

int
run(const struct options *options)
{
  struct driver driver = {.options = options, .changes = -1};
  char *library = installed_library();
  struct check check = check_command(options->command[0], library);
  if (*options->sites)
    learned_check_file(options->sites);
  session_open(&driver.session, options, stderr);
  watch_init(&driver.children, (long long)(options->stuck_after * 1e9));
  driver.forks.stuck_after_ns = driver.children.stuck_after_ns;
  driver.forks.found = on_stuck;
  driver.forks.context = &driver;
  driver.next_forks_ns = clock_ns(CLOCK_MONOTONIC) + driver.children.stuck_after_ns;
  grace_begin(&driver.grace, options->grace);
  coverage_init(&driver.coverage, library);
  driver.coverage.found = on_uncovered;
  driver.coverage.context = &driver;
  driver.next_coverage_ns = clock_ns(CLOCK_MONOTONIC) + COVERAGE_FIRST_NS;
  driver.children.root = getpid();  // the subreaper of the tree
  driver.children.found = on_stuck;
  driver.children.ended = on_end;
  driver.children.unseen = on_unseen;
  driver.children.context = &driver;
  job_take_signals(&driver.job);
  rundir_choose();
  rundir_keep();
  driver.tail.fd = rundir_make();
  driver.notice_ns = clock_ns(CLOCK_MONOTONIC) + NOTICE_AFTER_NS;
  char *preload = check.preload_harms ? NULL : rundir_nameable(library, " :", "LD_PRELOAD");
  char **environment = launch_environment(options, preload);
  rundir_note_filters(options->redirect == REDIRECT_LEARN || options->redirect == REDIRECT_AUTO);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1))
    die("prctl: PR_SET_CHILD_SUBREAPER: %m");
  if (check.why && !options->quiet)
    message("the library will not be loaded into %s: %s", check.path, check.why);
  if (check.why)
    session_note_blind(&driver.session, check.path, check.why);
  if (!procfs_is_own())
    message("/proc is not there, or not that of this PID namespace: children are not watched");
  time_limit_begin(&driver.limit, options->time_limit);
  symbolizer_limit(driver.limit.next_ns);
  int error = launch(&driver.job, options->command, environment);
  int status;
  if (error) {
    message("%s: %s", options->command[0], strerror(error));
    status = error == ENOENT ? 127 : 126;
  } else {
    watch(&driver);
    status = finish(&driver);
  }
  rundir_end();
  return status;
}
