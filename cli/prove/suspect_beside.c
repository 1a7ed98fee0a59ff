#include "base/json_fields.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "finding.h"
#include "python_wait.h"
#include "suspicion.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

enum { SEARCHED = 64 * 1024, PIECE = 4096 };

// Whether the stack of a task has one of two addresses as a word; what cannot be read has none.
static bool
stack_has(pid_t pid, uint64_t sp, uint64_t first, uint64_t second)
{
  uint64_t words[PIECE / sizeof(uint64_t)];
  for (uint64_t at = sp & ~7ull, end = at + SEARCHED; at < end; at += PIECE - at % PIECE) {
    size_t size = PIECE - at % PIECE;
    if (!procfs_memory(pid, at, words, size))
      return false;
    for (size_t i = 0; i < size / sizeof *words; i++)
      if (words[i] == first || words[i] == second)
        return true;
  }
  return false;
}

// One that holds the lock, or will release it, most often has its address at hand.
static bool
other_refers(const struct stuck_task *stuck, pid_t pid, uint64_t lock)
{
  pid_t *tids;
  bool refers = false;
  size_t count = procfs_tasks(pid, &tids);
  for (size_t i = 0; i < count && !refers; i++) {
    struct task_wait other;
    wait_state_of_task(pid, tids[i], &other);
    refers = tids[i] != stuck->wait.tid && other.sp &&
             stack_has(pid, other.sp, lock, stuck->wait.address);
  }
  free(tids);
  return refers;
}

// Memory that the parent has too, if that can be looked at. What it had at the fork it most often
// still has.
static bool
was_there_at_fork(const struct suspect *suspect, uint64_t address)
{
  struct mapping mapping;
  pid_t parent = (pid_t)get_integer(suspect->fork_event, "pid");
  return !procfs_task_count(parent) || procfs_mapping(parent, address, &mapping);
}

static struct python_wait
python_wait_of(const struct suspect *suspect, const struct stuck_task *stuck, json_t *stack)
{
  json_t *named = json_pack("{s:O}", "stack", stack);
  symbolize_event(named);
  struct python_wait python = python_wait_at(suspect->pid, &stuck->wait, get_array(named, "stack"));
  json_decref(named);
  return python;
}

static bool
may_be_left_behind(const struct suspect *suspect, const struct stuck_task *stuck,
                   const struct lock *lock, const struct python_wait *python)
{
  return !lock_is_event(lock->kind) && !python->designed && !python->elsewhere && !lock->owner &&
         was_there_at_fork(suspect, lock->address) &&
         !other_refers(stuck, suspect->pid, lock->address);
}

static void
say_of_others(json_t *proof, pid_t pid, const struct stuck_task *stuck, long long waited_ms)
{
  size_t others = procfs_task_count(pid) - 1;
  proof_say(proof, xasprintf("the first task of the process sleeps in a futex wait without a "
                             "timeout, the same for %lld ms",
                             waited_ms));
  proof_say(proof, xasprintf("%zu other task%s on, and ran for %llu of the last %lld ms: the "
                             "address of the lock is not on %s",
                             others, others == 1 ? " goes" : "s go", stuck->ran_ns / 1000000,
                             stuck->of_ns / 1000000, others == 1 ? "its stack" : "their stacks"));
  proof_say_private(proof);
  proof_say(proof, xstrdup("the lock does not record who holds it; its memory was there at the "
                           "fork, when a thread that the fork left behind may have taken it"));
}

json_t *
suspect_beside(const struct suspect *suspect, const struct stuck_task *stuck, long long waited_ms)
{
  pid_t pid = suspect->pid;
  const struct task_wait *task = &stuck->wait;
  if (suspect->never_forked || !private_word(pid, task) || shares_memory(pid))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, task->tid), *proof = json_array();
  struct lock lock = lock_at(pid, task, stack);
  json_t *described = live_symbol(live, lock.address);
  live_close(live);
  struct python_wait python = python_wait_of(suspect, stuck, stack);
  if (!may_be_left_behind(suspect, stuck, &lock, &python)) {
    json_decref(stack);
    json_decref(proof);
    json_decref(described);
    return NULL;
  }
  if (python.kind)
    lock.kind = python.kind;
  say_of_others(proof, pid, stuck, waited_ms);
  proof_say_handlers(proof, pid, waking_signal(pid, false, false), false);
  proof_describe(described, &lock);
  json_t *event = proof_event("suspect", suspect, described, stack, proof, waited_ms);
  json_object_set_new(event, "tid", json_integer(task->tid));
  proof_add_threads(event, suspect, 0);
  proof_add_python(event, pid, task->tid);
  symbolize_event(event);
  return event;
}
