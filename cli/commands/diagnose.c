#include "diagnose.h"
#include "base/json_fields.h"
#include "inspect/live_python.h"
#include "inspect/live_stack.h"
#include "process/procfs.h"
#include "report/text_fork.h"
#include "watch/stuck_fork_call.h"
#include "survey.h"
#include "symbols/symbolize.h"
#include "base/message.h"
#include "process/process_tree.h"
#include "watch/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct patient {
  pid_t pid, parent;
  bool named;   // on the command line, not only below one of those
  bool told;    // a finding of it
  bool unread;  // and that is said
};

struct ward {
  const struct options *options;
  struct patient *list;
  size_t count;
  bool unread, proven, found;
};

static void
admit(struct ward *ward, pid_t pid, bool named)
{
  struct patient patient = {.pid = pid, .named = named};
  char state;
  unsigned long long start;
  for (size_t i = 0; i < ward->count; i++)
    if (ward->list[i].pid == pid)
      return;
  if (!procfs_stat(pid, &state, &start))
    return;
  patient.parent = (pid_t)procfs_status(pid, 0, "PPid", 10);
  ward->list = xrealloc(ward->list, (ward->count + 1) * sizeof *ward->list);
  ward->list[ward->count++] = patient;
}

static void
admit_named(struct ward *ward, const char *text)
{
  char *end;
  errno = 0;
  long pid = strtol(text, &end, 10);
  if (errno || *end || pid <= 0 || pid > 4194304)
    die("diagnose: expected the pid of a process, got '%s'", text);
  if (kill((pid_t)pid, 0) && errno == ESRCH) {
    message("diagnose: %ld: there is no such process", pid);
    ward->unread = true;
    return;
  }
  admit(ward, (pid_t)pid, true);
}

// Everything below the named ones.
static void
admit_descendants(struct ward *ward)
{
  pid_t *pids;
  size_t count = procfs_processes(&pids);
  for (bool more = true; more;) {
    size_t before = ward->count;
    for (size_t i = 0; i < count; i++) {
      pid_t parent = (pid_t)procfs_status(pids[i], 0, "PPid", 10);
      for (size_t k = 0; k < before; k++)
        if (ward->list[k].pid == parent)
          admit(ward, pids[i], false);
    }
    more = ward->count > before;
  }
  free(pids);
}

// The thread called so of the parent, or of what that descends from: it may have forked a process
// that has forked again. *pid becomes that process. 0: there is none.
static pid_t
find_owner(pid_t *pid, pid_t called)
{
  enum { MOST_GENERATIONS = 16 };
  pid_t tid = procfs_task_called(*pid, called);
  for (int i = 1; i < MOST_GENERATIONS && !tid && *pid != 0; i++) {
    *pid = (pid_t)procfs_status(*pid, 0, "PPid", 10);
    tid = procfs_task_called(*pid, called);
  }
  return tid;
}

// The stack, now, of the thread that owns the lock.
static json_t *
owner_now(pid_t parent, pid_t called)
{
  pid_t pid = parent, tid = find_owner(&pid, called);
  if (!tid)
    return NULL;
  struct live *live = live_open(pid);
  json_t *owner = json_pack("{s:i, s:i, s:o}", "pid", (int)pid, "tid", (int)tid, "stack",
                            live_stack(live, tid));
  live_close(live);
  struct live_python *python = live_python_open(pid);
  live_python_add(python, tid, owner);
  live_python_close(python);
  symbolize_event(owner);
  json_object_del(owner, "symbolized");
  char *name = procfs_name(pid, tid);
  json_object_set_new(owner, "thread", json_string(name));
  free(name);
  return owner;
}

static struct patient *
find_patient(const struct ward *ward, pid_t pid)
{
  for (size_t i = 0; i < ward->count; i++)
    if (ward->list[i].pid == pid)
      return &ward->list[i];
  return NULL;
}

static void
on_found(void *context, pid_t pid, json_t *event)
{
  struct ward *ward = context;
  struct patient *patient = find_patient(ward, pid);
  pid_t tid = (pid_t)get_integer(json_object_get(event, "lock"), "owner_tid");
  bool stray = json_object_get(event, "handler") != NULL;  // has all of it
  json_t *owner = tid && !stray ? owner_now(patient->parent, tid) : NULL;
  if (owner)
    json_object_set_new(event, "owner", owner);
  patient->told = ward->found = true;
  ward->proven |= !strcmp(get_string(event, "event"), "deadlock");
  if (ward->options->json) {
    json_dumpf(event, stdout, JSON_COMPACT);
    putchar('\n');
  } else if (stray) {
    render_stray(&(struct style){.out = stdout}, event);
  } else {
    render_diagnosis(stdout, event, patient->parent);
  }
  json_decref(event);
}

// Those of which nothing was found: what was seen of them. Where something was found, the others
// below are shown only if they may hang too.
static void
say_rest(const struct ward *ward)
{
  for (size_t i = 0; i < ward->count; i++) {
    const struct patient *patient = &ward->list[i];
    if (patient->told || patient->unread || !process_alive(patient->pid))
      continue;
    char *why = survey_why(patient->pid);
    if (patient->named || why || !ward->found)
      survey_print(patient->pid, patient->named ? 0 : patient->parent, why, patient->named || why);
    free(why);
  }
}

// A process whose waits cannot be read cannot be judged.
static void
check_rights(struct ward *ward, struct patient *patient)
{
  char *text = procfs_read(patient->pid, 0, "syscall");
  if (!text && patient->named && kill(patient->pid, 0) != ESRCH) {
    message("diagnose: %d: its system call cannot be read: run as its user or as root, and see "
            "/proc/sys/kernel/yama/ptrace_scope",
            (int)patient->pid);
    ward->unread = patient->unread = true;
  }
  free(text);
}

// Most likely forked from a process with threads, and not exec'd since.
static bool
is_copy(const struct patient *patient, const char *exe)
{
  char *of_parent = procfs_exe(patient->parent);
  bool copy = *exe && !strcmp(exe, of_parent) && procfs_task_count(patient->parent) > 1;
  free(of_parent);
  return copy;
}

static void
observe(struct ward *ward)
{
  struct watch watch;
  struct fork_record *forks = xrealloc(NULL, ward->count * sizeof *forks + 1);
  struct stuck_forks stuck = {.stuck_after_ns = (long long)(ward->options->stuck_after * 1e9),
                              .found = on_found,
                              .context = ward};
  pid_t *pids = xrealloc(NULL, ward->count * sizeof *pids + 1);
  watch_init(&watch, (long long)(ward->options->stuck_after * 1e9));
  watch.hurried = true;
  watch.found = on_found;
  watch.context = ward;
  for (size_t i = 0; i < ward->count; i++) {
    const struct patient *patient = &ward->list[i];
    char *exe = procfs_exe(patient->pid);
    pids[i] = patient->pid;
    forks[i] = (struct fork_record){
        .event = json_pack("{s:s, s:i}", "exe", exe, "pid", (int)patient->parent)};
    watch_add(&watch, &forks[i], patient->pid, !is_copy(patient, exe));
    free(exe);
  }
  // The last of them to tell what was seen so long. Where something is found, the look at its
  // stacks has interrupted waits, and what else there is to find needs as long again.
  int looks = 5 + (int)(ward->options->stuck_after / 0.1), until = looks;
  bool found = false;
  for (int i = 0; i < until; i++) {
    watch_tick(&watch, NULL);
    stuck_forks_tick(&stuck, pids, ward->count);
    if (ward->found && !found)
      until = i + looks;
    found = ward->found;
    nanosleep(&(struct timespec){0, 100000000}, NULL);
  }
  watch_free(&watch);
  stuck_forks_free(&stuck);
  free(pids);
  for (size_t i = 0; i < ward->count; i++)
    json_decref(forks[i].event);
  free(forks);
}

int
diagnose(const struct options *options)
{
  struct ward ward = {.options = options};
  if (!procfs_is_own())
    die("diagnose: /proc is not there, or not that of this PID namespace");
  for (char **pid = options->command; *pid; pid++)
    admit_named(&ward, *pid);
  admit_descendants(&ward);
  for (size_t i = 0; i < ward.count; i++)
    check_rights(&ward, &ward.list[i]);
  observe(&ward);
  if (!options->json)
    say_rest(&ward);
  free(ward.list);
  return ward.proven ? options->error_exitcode : ward.unread ? 125 : 0;
}
