#include "proof.h"
#include "base/clock.h"
#include "inspect/inherited_threads.h"
#include "inspect/imports.h"
#include "base/json_fields.h"
#include "inspect/live_python.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "inspect/parent_threads.h"
#include "process/procfs.h"
#include "finding.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <linux/futex.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void
proof_say(json_t *proof, char *sentence)
{
  json_array_append_new(proof, json_string(sentence));
  free(sentence);
}

// Shared memory may be written by others, unless the lock is a private one in it.
bool
private_word(pid_t pid, const struct task_wait *task)
{
  struct mapping mapping;
  if (task->operation & FUTEX_PRIVATE_FLAG)
    return true;
  return procfs_mapping(pid, task->address, &mapping) && !mapping.shared;
}

// One made by vfork() or clone(CLONE_VM).
bool
shares_memory(pid_t pid)
{
  pid_t *pids;
  bool found = false;
  size_t count = procfs_processes(&pids);
  for (size_t i = 0; i < count && !found; i++)
    found = pids[i] != pid && syscall(SYS_kcmp, pid, pids[i], KCMP_VM, 0, 0) == 0;
  free(pids);
  return found;
}

int
waking_among(pid_t pid, unsigned long long caught, bool owned, bool never_forked)
{
  static const int timers[] = {SIGALRM, SIGVTALRM, SIGPROF};
  static const int harmless[] = {
      SIGINT,  SIGPIPE, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV,
      SIGBUS,  SIGFPE,  SIGILL,   SIGABRT, SIGTRAP, SIGSYS,  32,      33 /* libc's own */,
      SIGTERM, SIGHUP,  SIGQUIT /* these last: in a child of a fork */};
  size_t count = sizeof harmless / sizeof *harmless - (never_forked ? 3 : 0);
  unsigned long long timed = procfs_timer_signals(pid);
  for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
    timed |= 1ull << (timers[i] - 1);
  if (caught & timed)
    return __builtin_ctzll(caught & timed) + 1;
  for (size_t i = 0; i < count; i++)
    caught &= ~(1ull << (harmless[i] - 1));
  if (!caught || (owned && !calls_long_jump(pid)))
    return 0;
  return __builtin_ctzll(caught) + 1;
}

int
waking_signal(pid_t pid, bool owned, bool never_forked)
{
  return waking_among(pid, procfs_status(pid, 0, "SigCgt", 16), owned, never_forked);
}

// The other threads at the fork: from its event, or what the child itself carries; where nothing
// was taken, by a look at the parent.
static json_t *
threads_at_fork(const struct suspect *suspect)
{
  json_t *others = json_object_get(suspect->fork_event, "others");
  if (others)
    return json_incref(others);
  others = evidence_threads(suspect->pid, suspect->fork_event, suspect->site_event);
  return others ? others : parent_threads(suspect->pid, suspect->fork_event, suspect->site_event);
}

void
proof_add_threads(json_t *event, const struct suspect *suspect, pid_t owner_tid)
{
  json_t *others = threads_at_fork(suspect);
  const json_t *owner = owner_tid ? find_thread(others, owner_tid) : NULL;
  if (owner)
    json_object_set(event, "owner", (json_t *)(uintptr_t)owner);
  else if (!owner_tid && !json_object_get(suspect->fork_event, "others"))
    json_object_set(event, "others", others);
  json_decref(others);
}

void
proof_add_python(json_t *event, pid_t pid, pid_t tid)
{
  struct live_python *python = live_python_open(pid);
  live_python_add(python, tid, event);
  live_python_close(python);
  bool told = json_object_get(event, "python") || json_object_get(event, "notes");
  if (!told && procfs_is_ending(pid))
    json_object_set_new(event, "notes",
                        json_pack("[s]", "the process ended while it was looked at: its stack may "
                                         "be cut short, and Python frames were not read"));
}

json_t *
proof_event(const char *kind, const struct suspect *suspect, json_t *lock, json_t *stack,
            json_t *proof, long long waited_ms)
{
  return json_pack("{s:i, s:s, s:I, s:I, s:s*, s:s*, s:o, s:o, s:I, s:o}", "v", 1, "event", kind,
                   "time_ns", (json_int_t)clock_ns(CLOCK_REALTIME), "pid", (json_int_t)suspect->pid,
                   "exe", suspect->exe, "fork", get_string(suspect->fork_event, "id"), "lock", lock,
                   "stack", stack, "waited_ms", (json_int_t)waited_ms, "proof", proof);
}

void
proof_describe(json_t *described, const struct lock *lock)
{
  char text[32];
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)lock->address);
  json_object_set_new(described, "address", json_string(text));
  json_object_set_new(described, "kind", json_string(lock->kind));
  if (lock->owner)
    json_object_set_new(described, "owner_tid", json_integer(lock->owner));
}

bool
proof_applies(pid_t pid, const struct wait_state *state)
{
  for (size_t i = 0; i < state->count; i++)
    if (!state->tasks[i].for_handler && !private_word(pid, &state->tasks[i]))
      return false;
  return !shares_memory(pid);
}

// One task's wait.
struct waiter {
  const struct task_wait *task;
  json_t *stack;
  struct lock lock;  // `owner`: one that is no thread of the process
  pid_t holder;      // a thread of the process that owns the lock; 0: none does
};

enum { MOST_EXAMINED = 64 };

static struct waiter
examine(pid_t pid, struct live *live, const struct task_wait *task)
{
  struct waiter waiter = {.task = task, .stack = live_stack(live, task->tid)};
  waiter.lock = lock_at(pid, task, waiter.stack);
  if (waiter.lock.owner)
    waiter.holder = procfs_task_called(pid, waiter.lock.owner);
  if (waiter.holder)
    waiter.lock.owner = 0;
  return waiter;
}

static bool
is_join(const struct waiter *waiter)
{
  return !strcmp(waiter->lock.kind, "end of a thread");
}

// What a handler of a signal does not end, but by a jump.
static bool
is_owned(const struct waiter *waiter)
{
  return waiter->lock.owner || waiter->holder || is_join(waiter);
}

// How much a wait explains: one for a lock whose owner is gone all, that for a thread nothing.
static int
rank(const struct waiter *waiter)
{
  return waiter->lock.owner ? 2 : is_join(waiter) ? 0 : 1;
}

// The task whose wait explains best why all wait. *owned: no handler makes the first task go on,
// but by a jump.
static struct waiter
find_waiter(pid_t pid, struct live *live, const struct wait_state *state, bool *owned)
{
  size_t at = 0, count = state->count < MOST_EXAMINED ? state->count : MOST_EXAMINED;
  while (state->tasks[at].for_handler)  // not all are
    at++;
  struct waiter found = examine(pid, live, &state->tasks[at]);
  bool first_is_lost = at == 0 && found.lock.owner, all_owned = is_owned(&found);
  for (size_t i = at + 1; i < count && !first_is_lost; i++) {
    if (state->tasks[i].for_handler)
      continue;
    struct waiter next = examine(pid, live, &state->tasks[i]), other = next;
    all_owned = all_owned && is_owned(&next);
    if (rank(&next) > rank(&found)) {
      other = found;
      found = next;
    }
    json_decref(other.stack);
  }
  *owned = first_is_lost || (found.lock.owner && all_owned && state->count <= MOST_EXAMINED);
  return found;
}

// Handlers of these ask a process to end: where they are ignored, the proof says so.
static char *
list_ending_handlers(pid_t pid)
{
  static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  unsigned long long caught = procfs_status(pid, 0, "SigCgt", 16);
  char *list = xstrdup("");
  for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
    if (!(caught & 1ull << (ending[i] - 1)))
      continue;
    char *longer = xasprintf("%s%sSIG%s", list, *list ? ", " : "", sigabbrev_np(ending[i]));
    free(list);
    list = longer;
  }
  return list;
}

void
proof_say_handlers(json_t *proof, pid_t pid, int signal, bool owned)
{
  if (signal) {
    const char *name = sigabbrev_np(signal);
    proof_say(
        proof,
        xasprintf("but it handles signal %d (SIG%s), whose handler could still end the wait%s",
                  signal, name ? name : "?", owned ? " by a jump out of it" : ""));
    return;
  }
  char *ending = owned ? xstrdup("") : list_ending_handlers(pid);
  proof_say(proof, xasprintf("no signal handler is installed that could end it%s%s",
                             *ending ? ", but what asks a process to end: " : "", ending));
  free(ending);
}

void
proof_say_private(json_t *proof)
{
  proof_say(
      proof,
      xstrdup("the word it waits on lies in memory that no other process can write, and no other "
              "process shares its address space"));
}

void
proof_say_left_behind(json_t *proof, pid_t owner)
{
  proof_say(proof, xasprintf("the lock's owner, thread %d, is not a thread of this process: it was "
                             "left behind by the fork",
                             (int)owner));
}

static void
say_of_tasks(json_t *proof, const struct wait_state *state)
{
  size_t in_futex = 0;
  for (size_t i = 0; i < state->count; i++)
    in_futex += !state->tasks[i].for_handler;
  if (state->count == 1)
    proof_say(proof, xstrdup("the process has one task, and it sleeps in a futex wait without a "
                             "timeout"));
  else if (in_futex == state->count)
    proof_say(proof,
              xasprintf("all %zu tasks sleep in futex waits without a timeout", state->count));
  else
    proof_say(proof, xasprintf("all %zu tasks sleep without a timeout: %zu in futex waits, the "
                               "others until a signal handler has run, and none is installed",
                               state->count, in_futex));
}

json_t *
prove(const struct suspect *suspect, const struct wait_state *state, long long waited_ms)
{
  pid_t pid = suspect->pid;
  if (!proof_applies(pid, state))
    return NULL;

  struct live *live = live_open(pid);
  json_t *proof = json_array();
  bool owned;
  struct waiter waiter = find_waiter(pid, live, state, &owned);
  const struct task_wait *task = waiter.task;
  json_t *described = live_symbol(live, waiter.lock.address);
  live_close(live);
  struct noted noted = {0};
  int signal = state->count == 1
                   ? waking_unless_noted(suspect, task, &waiter.lock, waiter.stack, owned, &noted)
                   : waking_signal(pid, owned, suspect->never_forked);

  say_of_tasks(proof, state);
  proof_say(proof,
            xasprintf("it has been in the same wait, uninterrupted, for %lld ms", waited_ms));
  proof_say_private(proof);
  if (waiter.lock.owner)
    proof_say_left_behind(proof, waiter.lock.owner);
  else if (waiter.holder)
    proof_say(proof, xasprintf("the lock is held by thread %d of this process itself, which waits "
                               "too",
                               (int)waiter.holder));
  else
    proof_say(
        proof,
        xstrdup("only a thread of this process could end the wait, and none is left to do it"));
  proof_say_handlers(proof, pid, signal, owned);
  proof_say_noted(proof, &noted);

  proof_describe(described, &waiter.lock);
  if (waiter.holder)
    json_object_set_new(described, "held_by", json_integer(waiter.holder));
  json_t *event = proof_event(signal ? "suspect" : "deadlock", suspect, described, waiter.stack,
                              proof, waited_ms);
  json_object_set_new(event, "tid", json_integer(task->tid));
  proof_add_threads(event, suspect, waiter.lock.owner);
  proof_add_python(event, pid, task->tid);
  symbolize_event(event);
  return event;
}
