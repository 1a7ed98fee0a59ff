#include "suspicion.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "finding.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static json_t *
finish(const char *what, const struct suspect *suspect, json_t *lock, json_t *stack, json_t *proof,
       long long ms, pid_t owner)
{
  json_t *event = proof_event("suspect", suspect, lock, stack, proof, ms);
  json_object_set_new(event, "what", json_string(what));
  proof_add_threads(event, suspect, owner);
  proof_add_python(event, suspect->pid, suspect->pid);
  symbolize_event(event);
  return event;
}

json_t *
suspect_spin(const struct suspect *suspect, const struct spin *spin, unsigned times,
             long long spun_ms)
{
  pid_t pid = suspect->pid;
  if (procfs_task_count(pid) != 1 || shares_memory(pid) || waking_signal(pid, false, false))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, pid), *proof = json_array();
  json_t *described = live_symbol(live, spin->word);
  live_close(live);
  proof_say(proof,
            xasprintf("the process has one task, which ran or was ready to run for all of %lld ms",
                      spun_ms));
  proof_say(
      proof,
      xasprintf("stepped through %u times, it went round a loop of %u instruction%s, "
                "%u times each, with %s in each round",
                times, spin->instructions, spin->instructions == 1 ? "" : "s", spin->rounds,
                spin->exact ? "the same in every register" : "nothing but a count that changes"));
  proof_say(proof, xasprintf("in the loop it makes no system call%s, and reads only words that no "
                             "other process can write",
                             spin->yields ? " but sched_yield()" : ""));
  proof_say(proof, xasprintf("the word at 0x%llx, which it reads again and again, has not changed",
                             (unsigned long long)spin->word));
  proof_say(proof, xstrdup("only a thread of this process could change it, there is no other, and "
                           "no signal handler is installed that could"));
  struct lock lock = {.kind = "spin lock", .address = spin->word};
  proof_describe(described, &lock);
  return finish("spin", suspect, described, stack, proof, spun_ms, 0);
}

// Handlers that write to a pipe of their own process are a design; those of faults, and that of
// SIGINT which every Python has, are not.
static bool
handler_may_write(pid_t pid)
{
  static const int harmless[] = {SIGINT,  SIGPIPE, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU,
                                 SIGCONT, SIGSEGV, SIGBUS,   SIGFPE,  SIGILL,  SIGABRT,
                                 SIGTRAP, SIGSYS,  32,       33 /* libc's own */};
  unsigned long long caught = procfs_status(pid, 0, "SigCgt", 16);
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
    caught &= ~(1ull << (harmless[i] - 1));
  return caught != 0;
}

bool
own_end_applies(pid_t pid)
{
  return procfs_task_count(pid) == 1 && !handler_may_write(pid);
}

static char *
list_fds(const struct own_end *end)
{
  char *list = xasprintf("descriptor%s ", end->count == 1 ? "" : "s");
  for (size_t i = 0; i < end->count; i++) {
    char *longer = xasprintf("%s%s%d", list, i ? ", " : "", end->fds[i]);
    free(list);
    list = longer;
  }
  return list;
}

json_t *
suspect_own_end(const struct suspect *suspect, const struct own_end *end, long long waited_ms)
{
  pid_t pid = suspect->pid;
  if (!own_end_applies(pid))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, pid), *proof = json_array();
  live_close(live);
  char *fds = list_fds(end);
  proof_say(proof, xasprintf("the process has one task, which has slept in the same call, "
                             "uninterrupted and without a timeout, for %lld ms",
                             waited_ms));
  proof_say(proof, xasprintf("it waits for data from %s (%s)", fds, end->kind));
  proof_say(proof, xstrdup("every other end, where something could be written, is open in this "
                           "process, and in no other that could be read"));
  proof_say(proof, xstrdup("only a thread of this process could end the wait, there is no other, "
                           "and no signal handler is installed that could"));
  json_t *lock = json_pack("{s:s, s:i}", "kind", end->kind, "fd", end->fds[0]);
  free(fds);
  return finish("own end", suspect, lock, stack, proof, waited_ms, 0);
}

json_t *
suspect_repeats(const struct suspect *suspect, const struct wait_state *state, unsigned times,
                long long waited_ms)
{
  pid_t pid = suspect->pid;
  const struct task_wait *task = &state->tasks[0];
  if (procfs_task_count(pid) != 1 || shares_memory(pid))
    return NULL;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, pid), *proof = json_array();
  struct lock lock = lock_at(pid, task, stack);
  json_t *described = live_symbol(live, lock.address);
  live_close(live);
  if (!lock.owner || procfs_task_called(pid, lock.owner) || waking_signal(pid, true, false)) {
    json_decref(stack);
    json_decref(proof);
    json_decref(described);
    return NULL;
  }
  proof_say(proof, xasprintf("the process has one task, which was seen in %u futex waits for the "
                             "same word in %lld ms, and in nothing else",
                             times, waited_ms));
  proof_say(proof, xstrdup("each of them has a timeout, after which it waits again"));
  proof_say_left_behind(proof, lock.owner);
  proof_describe(described, &lock);
  return finish("repeats", suspect, described, stack, proof, waited_ms, lock.owner);
}
