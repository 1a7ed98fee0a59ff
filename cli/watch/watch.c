#include "watch.h"
#include "base/clock.h"
#include "process/inner_process.h"
#include "base/json_fields.h"
#include "prove/self_wait.h"
#include "process/procfs.h"
#include "prove/proof.h"
#include "prove/spin.h"
#include "prove/suspicion.h"
#include "base/message.h"
#include "process/process_tree.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  SAME_LOOP = 3,        // found so often in the same loop, a process spins
  LATE = 10,            // times --stuck-after: when what is not sure is suspected
  SAME_LOCK = 3,        // seen in so many timed waits for the same lock
  IDENTITY_LOOKS = 16,  // how often to compare start times, without an open file
};
static const long long SETTLED_NS = 1000000000;     // between looks at a wait that was judged
static const long long MOST_DELAY_NS = 8000000000;  // between steppings of a busy process
static const long long MOST_INTERVAL_NS = 2000000000;

void
watch_init(struct watch *watch, long long stuck_after_ns)
{
  struct rlimit files;
  *watch = (struct watch){.stuck_after_ns = stuck_after_ns};
  if (!getrlimit(RLIMIT_NOFILE, &files))
    watch->most_files = files.rlim_cur / 2 < 4096 ? (size_t)files.rlim_cur / 2 : 4096;
}

bool
watch_add(struct watch *watch, struct fork_record *fork, pid_t pid, bool proof_only)
{
  struct watched watched = {.fork = fork,
                            .pid = pid,
                            .number = pid,
                            .parent = (pid_t)get_integer(fork->event, "pid"),
                            .fd = -1,
                            .proof_only = proof_only};
  char state;
  if (watch->open_files < watch->most_files)
    watched.fd = procfs_open(pid, 0, "syscall");
  if (!procfs_stat(pid, &state, &watched.start)) {
    if (watched.fd >= 0)
      close(watched.fd);
    return false;
  }
  watch->open_files += watched.fd >= 0;
  watch->list = xrealloc(watch->list, (watch->count + 1) * sizeof *watch->list);
  watch->list[watch->count++] = watched;
  return true;
}

static void
forget(struct watch *watch, size_t i)
{
  struct watched *watched = &watch->list[i];
  wait_state_free(&watched->endless.state);
  wait_state_free(&watched->repeats.state);
  stuck_tasks_free(&watched->stuck);
  if (watched->fd >= 0) {
    close(watched->fd);
    watch->open_files--;
  }
  *watched = watch->list[--watch->count];
}

static void
part(struct watch *watch, size_t i)
{
  const struct watched *watched = &watch->list[i];
  if (watch->ended)
    watch->ended(watch->context, watched->fork, watched->number, watched->killed);
  forget(watch, i);
}

// One that is not there; but where what forked it seems to be elsewhere, the pids are of another
// PID namespace.
static bool
has_ended(const struct watch *watch, const struct arrival *arrival)
{
  pid_t parent = (pid_t)get_integer(arrival->fork->event, "pid");
  return !process_alive((pid_t)arrival->pid) &&
         (!process_alive(parent) || procfs_is_below(parent, watch->root));
}

// Whether the pid of the arrival is one of our namespace, not one of another where somebody else
// has it here. The first process of a new one has its parent here.
static bool
is_here(const struct watch *watch, const struct arrival *arrival)
{
  pid_t forker = (pid_t)get_integer(arrival->fork->event, "pid"), parent;
  pid_t numbers[MOST_NAMESPACES];
  size_t depth = procfs_numbers((pid_t)arrival->pid, numbers, MOST_NAMESPACES, &parent);
  bool own_child = arrival->pid == arrival->fork->child;
  return parent == forker || (depth < 2 && !(own_child && procfs_is_below(forker, watch->root)));
}

// The child has ended: by its own account, or what forked it is here, and has no such child.
static bool
is_over(const struct watch *watch, const struct arrival *arrival)
{
  const struct fork_record *fork = arrival->fork;
  pid_t forker = (pid_t)get_integer(fork->event, "pid");
  return arrival->pid == fork->child &&
         (fork->ended || (procfs_is_below(forker, watch->root) &&
                          inner_process_runs(forker, get_string(fork->event, "exe"))));
}

static void
leave_out_watched(const struct watch *watch, struct inner_processes *inner)
{
  for (size_t i = 0; i < watch->count; i++)
    for (size_t k = 0; k < inner->count; k++)
      if (inner->list[k].pid == watch->list[i].pid)
        inner->list[k] = inner->list[--inner->count];
}

// One that has another number here. Returns how many it may be.
static size_t
add_inner(struct watch *watch, const struct arrival *arrival, struct inner_processes *inner)
{
  const struct fork_record *fork = arrival->fork;
  bool own_child = arrival->pid == fork->child;
  struct inner_wanted wanted = {
      .number = (pid_t)arrival->pid,
      .parent = own_child ? (pid_t)get_integer(fork->event, "pid") : 0,
      .exe = get_string(fork->event, "exe"),
      .start_ns = own_child ? fork->time_ns : 0,
  };
  size_t several;
  inner_processes_read(watch->root, inner);
  leave_out_watched(watch, inner);
  pid_t pid = inner_process_find(inner, &wanted, &several);
  if (several > 1 && watch->unseen)
    watch->unseen(watch->context, fork);
  if (pid && watch_add(watch, arrival->fork, pid, false)) {
    struct watched *watched = &watch->list[watch->count - 1];
    watched->number = (pid_t)arrival->pid;
    watched->parent = (pid_t)procfs_status(pid, 0, "PPid", 10);
  }
  return several;
}

static bool
add_arrival(struct watch *watch, const struct arrival *arrival, struct inner_processes *inner)
{
  pid_t pid = (pid_t)arrival->pid;
  bool below = procfs_is_below(pid, watch->root);
  if (!watch->root || (below && is_here(watch, arrival)))
    return watch_add(watch, arrival->fork, pid, false);
  return (!is_over(watch, arrival) && add_inner(watch, arrival, inner)) ||
         (below && watch_add(watch, arrival->fork, pid, false));
}

static void
take_in(struct watch *watch, const struct model *model)
{
  struct inner_processes inner = {0};
  for (; watch->next_fork < model->arrived_count; watch->next_fork++) {
    struct arrival arrival = model->arrived[watch->next_fork];
    if (arrival.pid <= 0 || fork_gone(arrival.fork, arrival.pid))
      continue;
    if (!add_arrival(watch, &arrival, &inner) && has_ended(watch, &arrival))
      watch->ended(watch->context, arrival.fork, (pid_t)arrival.pid, false);
  }
  inner_processes_free(&inner);
  for (size_t i = watch->count; i-- > 0;)
    if (fork_gone(watch->list[i].fork, watch->list[i].number))
      forget(watch, i);
}

static bool
lives(const struct watched *watched)
{
  char state;
  unsigned long long start;
  return procfs_stat(watched->pid, &state, &start) && start == watched->start &&
         procfs_lives(watched->pid, state);
}

static struct suspect
accused(const struct watched *watched)
{
  const struct fork_record *fork = watched->fork;
  return (struct suspect){.pid = watched->pid,
                          .exe = get_string(fork->event, "exe"),
                          .fork_event = fork->event,
                          .site_event = fork_stacks(fork),
                          .never_forked = watched->proof_only};
}

// The number that the task has where the process is called as the program knows it.
static pid_t
number_of_task(const struct watched *watched, pid_t tid)
{
  pid_t numbers[MOST_NAMESPACES], of_task[MOST_NAMESPACES], parent;
  size_t depth = procfs_numbers(watched->pid, numbers, MOST_NAMESPACES, &parent);
  size_t of_task_depth = procfs_numbers(tid, of_task, MOST_NAMESPACES, &parent);
  for (size_t i = depth < of_task_depth ? depth : of_task_depth; i-- > 0;)
    if (numbers[i] == watched->number)
      return of_task[i];
  return tid;
}

// The events of its fork, and its locks, have the numbers of its PID namespace.
static void
use_inner_numbers(const struct watched *watched, json_t *event)
{
  pid_t tid = (pid_t)get_integer(event, "tid");
  if (tid)
    json_object_set_new(event, "tid", json_integer(number_of_task(watched, tid)));
  json_object_set_new(event, "pid", json_integer(watched->number));
  json_t *notes = json_object_get(event, "notes");
  if (!notes)
    json_object_set_new(event, "notes", notes = json_array());
  char *note = xasprintf("it is process %d outside its PID namespace", (int)watched->pid);
  json_array_append_new(notes, json_string(note));
  free(note);
}

// What was read may be of another process with the same pid.
static bool
tell(struct watch *watch, const struct watched *watched, json_t *event)
{
  if (event && lives(watched)) {
    if (watched->number != watched->pid)
      use_inner_numbers(watched, event);
    watch->found(watch->context, watched->pid, event);
    return true;
  }
  json_decref(event);
  return false;
}

static bool
waits_for_itself(const struct watch *watch, struct watched *watched, const struct wait_state *state,
                 struct own_end *end)
{
  pid_t parent = watched->parent;
  struct relatives relatives = {.root = watch->root};
  char letter;
  if (!watched->holder)
    watched->holder = parent;
  if (!procfs_stat(parent, &letter, &relatives.since))
    relatives.since = 0;
  return own_end_examine(watched->pid, state, &relatives, &watched->holder, end);
}

static json_t *
judge_wait(const struct watch *watch, struct watched *watched, long long ms)
{
  struct suspect suspect = accused(watched);
  struct own_end end;
  if (watched->endless.state.kind == WAIT_FUTEX)
    return prove(&suspect, &watched->endless.state, ms);
  if (watched->proof_only || !waits_for_itself(watch, watched, &watched->endless.state, &end))
    return NULL;
  return suspect_own_end(&suspect, &end, ms);
}

// Consumes *now.
static void
look_at_wait(struct watch *watch, struct watched *watched, struct wait_state *now, long long now_ns)
{
  struct endless *endless = &watched->endless;
  bool alike = wait_state_alike(now, &endless->state);
  if (alike && now_ns < endless->next_ns) {
    wait_state_free(now);
    return;
  }
  if (!wait_state_sleeps(watched->pid, now)) {
    wait_state_free(now);
    wait_state_free(&endless->state);
    return;
  }
  bool same = alike && wait_state_uninterrupted(now, &endless->state);
  wait_state_free(&endless->state);
  endless->state = *now;
  // Our own look at its stack interrupts the wait: that is no news of it.
  if (!alike)
    endless->told = false;
  if (!same) {
    endless->since_ns = now_ns;
    endless->judged = false;
    endless->next_ns = now_ns + watch->stuck_after_ns;
    return;
  }
  endless->next_ns = now_ns + SETTLED_NS;
  if (endless->judged || endless->told)
    return;
  endless->judged = true;
  json_t *event = judge_wait(watch, watched, (now_ns - endless->since_ns) / 1000000);
  endless->told = tell(watch, watched, event);
}

// Whether the task was on a processor, or ready to be, nearly all the time.
static bool
was_busy(const struct watched *watched, long long now_ns)
{
  unsigned long long runnable;
  const struct busy *busy = &watched->busy;
  return procfs_runnable_ns(watched->pid, &runnable) &&
         (runnable - busy->runnable_ns) * 10 >= (unsigned long long)(now_ns - busy->since_ns) * 9;
}

static void
begin_busy(const struct watch *watch, struct watched *watched, long long now_ns)
{
  struct busy *busy = &watched->busy;
  busy->since_ns = procfs_runnable_ns(watched->pid, &busy->runnable_ns) ? now_ns : 0;
  busy->next_ns = now_ns + watch->stuck_after_ns;
  busy->times = 0;
}

// As often as costs 2 % of a processor, and leaves time for the others where there are many.
static bool
examine(struct watch *watch, struct watched *watched, struct spin *spin)
{
  long long begin = clock_ns(CLOCK_MONOTONIC), used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  bool spins = spin_examine(watched->pid, spin);
  long long end = clock_ns(CLOCK_MONOTONIC);
  watched->busy.since_ns += end - begin;  // it was stopped for most of that: not its own doing
  used = 50 * (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - used);
  if (!watch->hurried)
    watch->step_after_ns = end + (used > 3 * (end - begin) ? used : 3 * (end - begin));
  return spins;
}

static void
step_through(struct watch *watch, struct watched *watched, long long now_ns)
{
  struct busy *busy = &watched->busy;
  struct spin spin;
  bool spins = examine(watch, watched, &spin);
  if (!spins) {
    busy->times = 0;
    busy->delay_ns = 2 * (busy->delay_ns ? busy->delay_ns : watch->stuck_after_ns);
    if (busy->delay_ns > MOST_DELAY_NS)
      busy->delay_ns = MOST_DELAY_NS;
    busy->next_ns = now_ns + busy->delay_ns;
    return;
  }
  busy->times = busy->times && spin.signature == busy->signature ? busy->times + 1 : 1;
  busy->signature = spin.signature;
  if (busy->times < SAME_LOOP)
    return;
  struct suspect suspect = accused(watched);
  json_t *event = suspect_spin(&suspect, &spin, busy->times, (now_ns - busy->since_ns) / 1000000);
  busy->told = tell(watch, watched, event);
  busy->times = 0;
  busy->next_ns = now_ns + MOST_DELAY_NS;
}

static void
look_at_busy(struct watch *watch, struct watched *watched, long long now_ns)
{
  struct busy *busy = &watched->busy;
  if (!busy->since_ns)
    begin_busy(watch, watched, now_ns);
  if (!busy->since_ns || busy->told || watched->proof_only || now_ns < busy->next_ns ||
      (!busy->times && now_ns < watch->step_after_ns))
    return;
  if (!was_busy(watched, now_ns) || procfs_task_count(watched->pid) != 1)
    begin_busy(watch, watched, now_ns);
  else
    step_through(watch, watched, now_ns);
}

// Consumes *now.
static void
look_at_repeats(struct watch *watch, struct watched *watched, struct wait_state *now,
                long long now_ns)
{
  struct repeats *repeats = &watched->repeats;
  bool alike = wait_state_alike(now, &repeats->state);
  if (!alike) {
    repeats->since_ns = now_ns;
    repeats->times = 0;
    repeats->judged = false;
  }
  if (repeats->judged || repeats->told || !wait_state_sleeps(watched->pid, now)) {
    wait_state_free(now);
    return;
  }
  if (!alike || !wait_state_uninterrupted(now, &repeats->state))
    repeats->times++;
  wait_state_free(&repeats->state);
  repeats->state = *now;
  if (repeats->times < SAME_LOCK || now_ns - repeats->since_ns < watch->stuck_after_ns)
    return;
  repeats->judged = true;
  struct suspect suspect = accused(watched);
  json_t *event = suspect_repeats(&suspect, &repeats->state, repeats->times,
                                  (now_ns - repeats->since_ns) / 1000000);
  repeats->told = tell(watch, watched, event);
}

static void
look_at_tasks(struct watch *watch, struct watched *watched, const struct wait_state *now,
              long long now_ns)
{
  struct stuck_task *stuck;
  if (watched->stuck_told)
    return;
  stuck_tasks_note(&watched->stuck, watched->pid, now, now_ns);
  while (!watched->stuck_told &&
         (stuck = stuck_tasks_next(&watched->stuck, watched->pid, now_ns, watch->stuck_after_ns))) {
    struct suspect suspect = accused(watched);
    long long ms = (now_ns - stuck->since_ns) / 1000000;
    json_t *event = stuck->looks == 1 ? prove_task(&suspect, &stuck->wait, now->others, ms)
                                      : suspect_beside(&suspect, stuck, ms);
    watched->stuck_told = tell(watch, watched, event);
    stuck_task_looked_at(stuck, watched->pid);
  }
}

// A process with other tasks, whose first one is in a wait with a timeout or in none.
static void
look_at_polls(struct watch *watch, struct watched *watched, long long now_ns)
{
  struct suspect suspect = accused(watched);
  json_t *event = polls_look(&watched->polls, &suspect, now_ns, LATE * watch->stuck_after_ns);
  if (tell(watch, watched, event))
    watched->stuck_told = true;
}

// False: it has gone.
static bool
look(struct watch *watch, struct watched *watched, long long now_ns)
{
  struct wait_state now;
  if (watched->fd < 0 && ++watched->looks % IDENTITY_LOOKS == 0 && !lives(watched))
    return false;
  wait_state_read(watched->pid, watched->fd, &now);
  if (now.kind != WAIT_FUTEX && now.kind != WAIT_FILE)
    wait_state_free(&watched->endless.state);
  if (now.kind != WAIT_RUNNING)
    watched->busy.since_ns = 0;
  if (now.kind != WAIT_FUTEX_TIMED && now.kind != WAIT_RUNNING)
    wait_state_free(&watched->repeats.state);
  if (now.kind != WAIT_FUTEX && now.kind != WAIT_PARTLY)
    stuck_tasks_free(&watched->stuck);
  if (now.kind == WAIT_PARTLY || now.kind == WAIT_FUTEX_TIMED)
    look_at_polls(watch, watched, now_ns);
  else
    watched->polls.word = 0;
  switch (now.kind) {
  case WAIT_GONE: return lives(watched);
  case WAIT_RUNNING: look_at_busy(watch, watched, now_ns); break;
  case WAIT_FUTEX_TIMED: look_at_repeats(watch, watched, &now, now_ns); break;
  case WAIT_FUTEX:
  case WAIT_FILE: look_at_wait(watch, watched, &now, now_ns); break;
  case WAIT_PARTLY:
    look_at_tasks(watch, watched, &now, now_ns);
    wait_state_free(&now);
    break;
  case WAIT_NONE: break;
  }
  return true;
}

long long
watch_tick(struct watch *watch, const struct model *model)
{
  long long begin = clock_ns(CLOCK_MONOTONIC), looking = 0;
  if (model)
    take_in(watch, model);
  watch->turn++;
  for (size_t left = watch->count; left-- > 0 && watch->count > 0;) {
    long long now = clock_ns(CLOCK_MONOTONIC);
    size_t which = (left + watch->turn) % watch->count;
    if (!look(watch, &watch->list[which], now))
      part(watch, which);
    long long took = clock_ns(CLOCK_MONOTONIC) - now;
    looking += took < 1000000 ? took : 0;  // what takes longer is a judgement: those are rare
  }
  long long interval = 100 * looking;
  if (interval < WATCH_INTERVAL_NS)
    interval = WATCH_INTERVAL_NS;
  return begin + (interval < MOST_INTERVAL_NS ? interval : MOST_INTERVAL_NS);
}

static bool
may_be_judged(const struct watch *watch, struct watched *watched)
{
  struct wait_state now;
  struct own_end end;
  bool may = false;
  if (watched->killed)
    return lives(watched);
  if (watched->endless.judged || watched->endless.told)
    return false;
  wait_state_read(watched->pid, watched->fd, &now);
  if (now.kind == WAIT_FUTEX)
    may = proof_applies(watched->pid, &now);
  else if (now.kind == WAIT_FILE && !watched->proof_only && !watched->provided)
    may = own_end_applies(watched->pid) && waits_for_itself(watch, watched, &now, &end);
  watched->provided |= now.kind == WAIT_FILE && !may;
  wait_state_free(&now);
  return may;
}

void
watch_killed(struct watch *watch, pid_t pid)
{
  for (size_t i = 0; i < watch->count; i++)
    watch->list[i].killed |= watch->list[i].pid == pid;
}

void
watch_sweep(struct watch *watch, const struct model *model)
{
  take_in(watch, model);
  for (size_t i = watch->count; i-- > 0;)
    if (!lives(&watch->list[i]))
      part(watch, i);
}

bool
watch_awaits(struct watch *watch)
{
  for (size_t i = 0; i < watch->count; i++)
    if (may_be_judged(watch, &watch->list[i]))
      return true;
  return false;
}

void
watch_free(struct watch *watch)
{
  while (watch->count > 0)
    forget(watch, 0);
  free(watch->list);
  watch->list = NULL;
}
