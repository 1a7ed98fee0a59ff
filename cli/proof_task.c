#include "json_get.h"
#include "live_stack.h"
#include "procfs.h"
#include "proof.h"
#include "proof_parts.h"
#include "symbolize.h"
#include "text.h"

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

static void
say_of_release(json_t *proof, const struct lock *lock)
{
  proof_say(proof, xstrdup(lock->checked
                               ? "a mutex of this type refuses to be unlocked by another thread "
                                 "than its owner: it will never be released"
                               : "no other thread may release it; but it does not refuse that, and "
                                 "this process has tasks that go on"));
}

static json_t *
tell(const struct suspect *suspect, const struct task_wait *task, const struct lock *lock,
     json_t *described, json_t *stack, size_t others, long long waited_ms)
{
  bool first = task->tid == suspect->pid;
  // Threads that go on may send signals too.
  int signal = waking_signal(suspect->pid, false, suspect->never_forked);
  json_t *proof = json_array();
  proof_say(proof, xasprintf("%s sleeps in a futex wait without a timeout; %zu other%s not",
                             first ? "the first task of the process" : "a task of the process",
                             others, others == 1 ? " does" : "s do"));
  proof_say(proof,
            xasprintf("it has been in the same wait, uninterrupted, for %lld ms", waited_ms));
  proof_say_private(proof);
  proof_say_left_behind(proof, lock->owner);
  say_of_release(proof, lock);
  proof_say_handlers(proof, suspect->pid, signal, false);
  if (!first)
    proof_say(proof, xstrdup("but the first task of the process goes on"));
  proof_describe(described, lock);
  json_t *event = proof_event(first && lock->checked && !signal ? "deadlock" : "suspect", suspect,
                              described, stack, proof, waited_ms);
  json_object_set_new(event, "tid", json_integer(task->tid));
  if (!first)
    json_object_set_new(event, "what", json_string("thread"));
  proof_add_threads(event, suspect, lock->owner);
  proof_add_python(event, suspect->pid, task->tid);
  symbolize_event(event);
  return event;
}

json_t *
prove_task(const struct suspect *suspect, const struct task_wait *task, size_t others,
           long long waited_ms)
{
  pid_t pid = suspect->pid;
  if (!lock_may_be_lost(pid, task) || !private_word(pid, task) || shares_memory(pid))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, task->tid);
  struct lock lock = lock_at(pid, task, stack);
  json_t *described = live_symbol(live, lock.address);
  live_close(live);
  if (lock.guessed || !lock.owner || procfs_task_called(pid, lock.owner) ||
      has_heir(suspect, task, &lock)) {
    json_decref(stack);
    json_decref(described);
    return NULL;
  }
  return tell(suspect, task, &lock, described, stack, others, waited_ms);
}
