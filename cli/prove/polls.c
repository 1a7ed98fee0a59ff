#include "polls.h"
#include "base/json_fields.h"
#include "inspect/live_stack.h"
#include "inspect/lock.h"
#include "process/procfs.h"
#include "finding.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { LEAST_TIMES = 5 };

// Nobody of the process waits for data, runs, or sleeps elsewhere. *word: the first task's, if that
// wait has a timeout.
static bool
all_in_futex(pid_t pid, uint64_t *word)
{
  pid_t *tids;
  size_t count = procfs_tasks(pid, &tids);
  bool all = count > 1;
  *word = 0;
  for (size_t i = 0; i < count && all; i++) {
    struct task_wait task;
    bool endless = wait_state_of_task(pid, tids[i], &task);
    all = task.number == SYS_futex && task.address;
    if (tids[i] == pid && !endless)
      *word = task.address;
  }
  free(tids);
  return all && *word;
}

static bool
is_interpreter(const char *module)
{
  const char *name = base_name(module);
  return !strncmp(name, "python", 6) || !strncmp(name, "libpython", 9) ||
         !strncmp(name, "ruby", 4) || !strncmp(name, "libruby", 7);
}

// The module, neither the program nor an interpreter, whose code waits, if it had threads at the
// fork: the first frame of such a module before any of another.
static const char *
bereft_module(const struct suspect *suspect, const json_t *stack)
{
  const json_t *site = suspect->site_event ? suspect->site_event : suspect->fork_event;
  size_t i, k;
  json_t *frame, *group;
  json_array_foreach((json_t *)(uintptr_t)stack, i, frame)
  {
    const char *module = get_string(frame, "module");
    if (!module || is_interpreter(module) || (suspect->exe && !strcmp(module, suspect->exe)))
      return NULL;
    json_array_foreach(get_array(site, "groups"), k, group)
    {
      const char *maker = get_string(group, "module");
      if (maker && !strcmp(base_name(maker), base_name(module)))
        return module;
    }
  }
  return NULL;
}

static json_t *
tell(const struct suspect *suspect, const struct task_wait *task, const struct polls *polls,
     long long waited_ms)
{
  pid_t pid = suspect->pid;
  struct live *live = live_open(pid);
  json_t *stack = live_stack(live, pid), *proof = json_array();
  struct lock lock = lock_at(pid, task, stack);
  json_t *described = live_symbol(live, lock.address);
  live_close(live);
  const char *module = bereft_module(suspect, stack);
  if (!module) {
    json_decref(stack);
    json_decref(proof);
    json_decref(described);
    return NULL;
  }
  char *safe = escaped(base_name(module));
  proof_say(proof,
            xasprintf("the first task of the process was seen in %u futex waits for the same "
                      "word in %lld ms, each with a timeout, and in nothing else",
                      polls->times, waited_ms));
  proof_say(proof,
            xasprintf("it is %s that waits, which had threads that the fork left behind", safe));
  proof_say(proof, xstrdup("all other tasks were in futex waits too: nobody of the process waits "
                           "for data, or runs"));
  free(safe);
  proof_say_handlers(proof, pid, waking_signal(pid, false, false), false);
  proof_describe(described, &lock);
  json_t *event = proof_event("suspect", suspect, described, stack, proof, waited_ms);
  json_object_set_new(event, "what", json_string("repeats"));
  proof_add_threads(event, suspect, 0);
  proof_add_python(event, pid, pid);
  symbolize_event(event);
  return event;
}

json_t *
polls_look(struct polls *polls, const struct suspect *suspect, long long now_ns, long long after_ns)
{
  uint64_t word;
  struct task_wait task;
  if (polls->told || suspect->never_forked)
    return NULL;
  if (!all_in_futex(suspect->pid, &word) || word != polls->word)
    *polls = (struct polls){.word = word, .since_ns = now_ns};
  if (!word || ++polls->times < LEAST_TIMES || now_ns - polls->since_ns < after_ns)
    return NULL;
  polls->told = true;
  wait_state_of_task(suspect->pid, suspect->pid, &task);
  return task.address == word ? tell(suspect, &task, polls, (now_ns - polls->since_ns) / 1000000)
                              : NULL;
}
