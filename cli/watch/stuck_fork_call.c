#include "stuck_fork_call.h"
#include "symbols/frame.h"
#include "base/clock.h"
#include "inspect/fork_function.h"
#include "base/json_fields.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "prove/finding.h"
#include "symbols/symbolize.h"
#include "base/message.h"
#include "process/wait_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 4096, PIECES = 4 };

// Whether an address of the code is among the words above the stack pointer: most likely the one
// that a call returns to. The stack itself will tell.
static bool
may_be_in(pid_t pid, uint64_t sp, const struct fork_code *code)
{
  uint64_t words[PIECE / sizeof(uint64_t)], at = sp & ~7ull;
  for (int i = 0; i < PIECES; i++) {
    uint64_t size = PIECE - at % PIECE;
    if (!procfs_memory(pid, at, words, size))
      return false;
    for (size_t w = 0; w < size / sizeof *words; w++)
      if (words[w] > code->start && words[w] <= code->end)
        return true;
    at += size;
  }
  return false;
}

static struct forking *
note(struct stuck_forks *forks, pid_t pid, struct task_wait *task)
{
  if (!procfs_sleeps(pid, task->tid, &task->switches))
    return NULL;
  for (size_t i = 0; i < forks->count; i++) {
    struct forking *known = &forks->list[i];
    if (known->pid != pid || !task_wait_alike(&known->wait, task))
      continue;
    known->seen = true;
    if (known->wait.switches != task->switches)
      known->since_ns = clock_ns(CLOCK_MONOTONIC);
    known->wait.switches = task->switches;
    return known;
  }
  forks->list = xrealloc(forks->list, (forks->count + 1) * sizeof *forks->list);
  forks->list[forks->count] = (struct forking){
      .pid = pid, .wait = *task, .since_ns = clock_ns(CLOCK_MONOTONIC), .seen = true};
  return &forks->list[forks->count++];
}

static bool
is_c_library(const json_t *frame)
{
  const char *name = base_name(get_string(frame, "module"));
  return !strncmp(name, "libc.so", 7) || !strncmp(name, "libc-2", 6);
}

// The frame that fork() has called outside the C library, or NULL; *in_fork: whether the thread is
// in fork() at all.
static const json_t *
find_handler(const json_t *stack, const struct fork_code *code, bool *in_fork)
{
  const json_t *handler = NULL;
  size_t i;
  json_t *frame;
  *in_fork = false;
  json_array_foreach((json_t *)stack, i, frame)
  {
    const char *text = get_string(frame, "pc");
    unsigned long long pc = text ? strtoull(text, NULL, 16) : 0;
    *in_fork = pc > code->start && pc <= code->end;
    if (*in_fork)
      break;
    if (!is_c_library(frame))
      handler = frame;
  }
  return *in_fork ? handler : NULL;
}

static void
add_owner(json_t *event, pid_t pid, pid_t tid, struct live *live, json_t *proof)
{
  json_t *owner = json_pack("{s:i, s:o}", "tid", (int)tid, "stack", live_stack(live, tid));
  symbolize_event(owner);
  json_object_del(owner, "symbolized");
  char *name = procfs_name(pid, tid), *place = stack_place(get_array(owner, "stack"));
  json_object_set_new(owner, "thread", json_string(name));
  json_object_set_new(event, "owner", owner);
  char *safe_place = escaped(place);
  proof_say(proof, xasprintf("the lock's owner is thread %d \"%s\" of this process, now at %s",
                             (int)tid, name, safe_place));
  free(name);
  free(place);
  free(safe_place);
}

static json_t *
make_event(const struct forking *forking, json_t *stack, const json_t *handler, struct live *live,
           long long ms)
{
  pid_t pid = forking->pid;
  struct lock lock = lock_at(pid, &forking->wait, stack);
  json_t *described = live_symbol(live, lock.address), *proof = json_array();
  if (lock.owner)
    lock.owner = procfs_task_called(pid, lock.owner);
  proof_describe(described, &lock);
  char *exe = procfs_exe(pid), *name = procfs_name(pid, forking->wait.tid);
  const char *module = get_string(handler, "module"), *function = get_string(handler, "function");
  char *safe_module = escaped(base_name(module)), *safe_function = escaped(function);
  proof_say(proof, xasprintf("the thread is in fork(), where it has slept in the same futex wait, "
                             "uninterrupted and without a timeout, for %lld ms",
                             ms));
  proof_say(proof, handler ? xasprintf("fork() has called a fork handler of %s%s%s, which waits",
                                       safe_module, function ? ": " : "", safe_function)
                           : xstrdup("it is the C library's own work in fork() that waits"));
  struct suspect suspect = {.pid = pid, .exe = exe};
  json_t *event = proof_event("suspect", &suspect, described, stack, proof, ms);
  json_object_set_new(event, "what", json_string("fork handler"));
  json_object_set_new(event, "tid", json_integer(forking->wait.tid));
  json_object_set_new(event, "thread", json_string(name));
  json_object_set_new(event, "handler", json_string(handler ? safe_module : "the C library"));
  if (lock.owner)
    add_owner(event, pid, lock.owner, live, proof);
  symbolize_event(event);
  free(exe);
  free(name);
  free(safe_module);
  free(safe_function);
  return event;
}

static void
judge(struct stuck_forks *forks, struct forking *forking, const struct fork_code *code,
      long long now_ns)
{
  struct live *live = live_open(forking->pid);
  json_t *holder = json_pack("{s:o}", "stack", live_stack(live, forking->wait.tid));
  symbolize_event(holder);
  json_t *stack = get_array(holder, "stack");
  bool in_fork;
  const json_t *handler = find_handler(stack, code, &in_fork);
  forking->told = true;
  if (in_fork)
    forks->found(forks->context, forking->pid,
                 make_event(forking, json_incref(stack), handler, live,
                            (now_ns - forking->since_ns) / 1000000));
  json_decref(holder);
  live_close(live);
}

static void
look_at(struct stuck_forks *forks, pid_t pid)
{
  struct fork_code code = {0};
  pid_t *tids;
  size_t count = procfs_tasks(pid, &tids);
  for (size_t i = 0; i < count; i++) {
    struct task_wait task;
    if (!wait_state_of_task(pid, tids[i], &task))
      continue;
    if (!code.end && !fork_code_find(pid, &code))
      break;
    struct forking *forking = may_be_in(pid, task.sp, &code) ? note(forks, pid, &task) : NULL;
    long long now = clock_ns(CLOCK_MONOTONIC);
    if (forking && !forking->told && now - forking->since_ns >= forks->stuck_after_ns)
      judge(forks, forking, &code, now);
  }
  free(tids);
}

void
stuck_forks_tick(struct stuck_forks *forks, const pid_t *pids, size_t count)
{
  for (size_t i = 0; i < forks->count; i++)
    forks->list[i].seen = false;
  for (size_t i = 0; i < count; i++)
    if (procfs_task_count(pids[i]) > 1)
      look_at(forks, pids[i]);
  for (size_t i = forks->count; i-- > 0;)
    if (!forks->list[i].seen)
      forks->list[i] = forks->list[--forks->count];
}

void
stuck_forks_free(struct stuck_forks *forks)
{
  free(forks->list);
  *forks = (struct stuck_forks){0};
}
