#include "parent_threads.h"
#include "base/json_fields.h"
#include "live_python.h"
#include "live_stack.h"
#include "process/procfs.h"
#include "registers.h"
#include "process/wait_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 1000, COMPARED = 256 };

struct family {
  pid_t child, parent;
  struct live *child_now, *parent_now;
  struct live_python *python;  // as at the fork
};

// The same program is still there.
static bool
parent_lives(const json_t *fork_event)
{
  char link[64], path[PATH_MAX];
  const char *exe = get_string(fork_event, "exe");
  snprintf(link, sizeof link, "/proc/%lld/exe", get_integer(fork_event, "pid"));
  ssize_t length = exe ? readlink(link, path, sizeof path - 1) : -1;
  return length > 0 && (size_t)length == strlen(exe) && !memcmp(path, exe, (size_t)length);
}

// The kernel counts both from the same time on.
static bool
made_after(pid_t tid, pid_t child)
{
  unsigned long long its, of_child;
  char state;
  return procfs_stat(tid, &state, &its) && procfs_stat(child, &state, &of_child) && its > of_child;
}

// Without a stop: what the kernel tells of a thread that waits are two registers.
static json_t *
stack_of(struct live *live, const struct task_wait *wait)
{
  uint64_t registers[REGISTERS] = {[REG_SP] = wait->sp, [REG_IP] = wait->pc};
  return wait->sp ? live_stack_from(live, registers) : json_array();
}

// Whether a thread waits in the parent where, by what the child has got, it waited at the fork:
// nothing is different at its stack pointer, nor are the calls further out.
static bool
waits_as_then(const struct family *family, const struct task_wait *wait, const json_t *stack)
{
  unsigned char then[COMPARED], now[COMPARED];
  if (!wait->sp || !procfs_memory(family->child, wait->sp, then, COMPARED) ||
      !procfs_memory(family->parent, wait->sp, now, COMPARED) || memcmp(then, now, COMPARED) != 0)
    return false;
  json_t *stack_then = stack_of(family->child_now, wait);
  bool same = json_equal(stack_then, stack);
  json_decref(stack_then);
  return same;
}

static void
add_stack(const struct family *family, pid_t tid, json_t *other)
{
  struct task_wait wait;
  (void)wait_state_of_task(family->parent, tid, &wait);
  json_t *stack = stack_of(family->parent_now, &wait);
  bool then = waits_as_then(family, &wait, stack);
  if (then || !json_array_size(get_array(other, "python"))) {
    json_object_set(other, "stack", stack);
    if (json_array_size(stack))
      json_object_set_new(other, "exact", json_string("approximate"));
    if (!then)
      json_object_set_new(other, "of", json_string("parent"));
  }
  json_decref(stack);
}

static json_t *
thread_of(const struct family *family, pid_t tid, const json_t *before, bool has_python)
{
  static const char *const kept[] = {"group", "created_by", "creator_tid", "thread"};
  json_t *other = json_pack("{s:i}", "tid", (int)tid);
  for (size_t i = 0; before && i < sizeof kept / sizeof *kept; i++)
    if (json_object_get(before, kept[i]))
      json_object_set(other, kept[i], json_object_get(before, kept[i]));
  char *name = procfs_name(family->parent, tid);
  if (*name)
    json_object_set_new(other, "thread", json_string(name));
  free(name);
  live_python_add_then(family->python, tid, has_python, other);
  add_stack(family, tid, other);
  return other;
}

json_t *
parent_threads(pid_t child, const json_t *fork_event, const json_t *site_event)
{
  struct family family = {.child = child, .parent = (pid_t)get_integer(fork_event, "pid")};
  pid_t forking = (pid_t)get_integer(fork_event, "tid"), *tids;
  bool has_python = get_string(site_event, "python_version");
  if (!parent_lives(fork_event))
    return NULL;
  family.child_now = live_open(child);
  family.parent_now = live_open(family.parent);
  json_t *others = family.child_now && family.parent_now ? json_array() : NULL;
  if (others)
    family.python = live_python_open_then(child, fork_event);
  size_t count = others ? procfs_tasks(family.parent, &tids) : 0;
  for (size_t i = 0; i < count && json_array_size(others) < MOST_THREADS; i++)
    if (tids[i] != forking && !made_after(tids[i], child))
      json_array_append_new(others, thread_of(&family, tids[i],
                                              find_thread(get_array(site_event, "others"), tids[i]),
                                              has_python));
  if (others)
    free(tids);
  live_python_close(family.python);
  live_close(family.child_now);
  live_close(family.parent_now);
  return others;
}
