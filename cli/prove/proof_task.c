#include "base/json_fields.h"
#include "inspect/live_stack.h"
#include "process/procfs.h"
#include "proof.h"
#include "finding.h"
#include "python_wait.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

// The thread that forked goes on in the child under another number: a fork handler of the child may
// well release what one took before the fork.
static bool
has_heir(const struct suspect *suspect, const struct task_wait *task, const struct lock *lock)
{
  return lock->owner == (pid_t)get_integer(suspect->fork_event, "tid") &&
         task->tid != suspect->pid && !lock->checked;
}

// What a task waits for beside others that go on.
struct beside {
  const struct task_wait *task;
  struct lock lock;
  struct python_wait python;
  size_t others;
};

static void
say_of_release(json_t *proof, const struct lock *lock)
{
  proof_say(proof, xstrdup(lock->checked
                               ? "a mutex of this type refuses to be unlocked by another thread "
                                 "than its owner: it will never be released"
                               : "no other thread may release it; but it does not refuse that, and "
                                 "this process has tasks that go on"));
}

static void
say_of_wait(json_t *proof, const struct beside *beside, bool first, long long waited_ms)
{
  proof_say(proof, xasprintf("%s sleeps in a futex wait without a timeout; %zu other%s not",
                             first ? "the first task of the process" : "a task of the process",
                             beside->others, beside->others == 1 ? " does" : "s do"));
  proof_say(proof,
            xasprintf("it has been in the same wait, uninterrupted, for %lld ms", waited_ms));
  proof_say_private(proof);
}

static json_t *
tell(const struct suspect *suspect, const struct beside *beside, json_t *described, json_t *stack,
     long long waited_ms)
{
  const struct task_wait *task = beside->task;
  const struct lock *lock = &beside->lock;
  bool first = task->tid == suspect->pid, dead = lock->checked || beside->python.lost;
  struct noted noted;
  // Threads that go on may send signals too.
  int signal = waking_unless_noted(suspect, task, lock, stack, false, &noted);
  json_t *proof = json_array();
  say_of_wait(proof, beside, first, waited_ms);
  if (beside->python.lost) {
    python_wait_say(proof, &beside->python);
  } else {
    proof_say_left_behind(proof, lock->owner);
    say_of_release(proof, lock);
  }
  proof_say_handlers(proof, suspect->pid, signal, false);
  proof_say_noted(proof, &noted);
  if (!first)
    proof_say(proof, xstrdup("but the first task of the process goes on"));
  proof_describe(described, lock);
  json_t *event = proof_event(first && dead && !signal ? "deadlock" : "suspect", suspect, described,
                              stack, proof, waited_ms);
  json_object_set_new(event, "tid", json_integer(task->tid));
  if (!first)
    json_object_set_new(event, "what", json_string("thread"));
  proof_add_threads(event, suspect, lock->owner);
  proof_add_python(event, suspect->pid, task->tid);
  symbolize_event(event);
  return event;
}

// Whether what it waits for is lost: only a thread could release it that the fork left behind.
static bool
is_lost(const struct suspect *suspect, struct beside *beside)
{
  struct lock *lock = &beside->lock;
  if (beside->python.lost) {
    *lock = (struct lock){.kind = beside->python.kind, .address = beside->task->address};
    return true;
  }
  return !lock->guessed && lock->owner && !procfs_task_called(suspect->pid, lock->owner) &&
         !has_heir(suspect, beside->task, lock);
}

json_t *
prove_task(const struct suspect *suspect, const struct task_wait *task, size_t others,
           long long waited_ms)
{
  pid_t pid = suspect->pid;
  struct beside beside = {.task = task, .others = others};
  if ((!lock_may_be_lost(pid, task) && !python_wait_at(pid, task, NULL).lost) ||
      !private_word(pid, task) || shares_memory(pid))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, task->tid), *named = json_pack("{s:O}", "stack", stack);
  symbolize_event(named);
  beside.lock = lock_at(pid, task, stack);
  beside.python = python_wait_at(pid, task, get_array(named, "stack"));
  json_decref(named);
  json_t *event = NULL;
  if (is_lost(suspect, &beside))
    event = tell(suspect, &beside, live_symbol(live, beside.lock.address), json_incref(stack),
                 waited_ms);
  json_decref(stack);
  live_close(live);
  return event;
}
