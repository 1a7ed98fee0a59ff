#include "inherited_threads.h"
#include "base/json_fields.h"
#include "live_python.h"
#include "live_stack.h"
#include "process/procfs.h"
#include "base/message.h"
#include "common/wire/captured_thread.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 10000, COMPARED = 256 };

// The list up to its end; the caller frees it. Returns the number of threads, 0 where what is there
// is no such list.
static size_t
read_list(pid_t child, uint64_t address, struct snapshot_thread **list)
{
  size_t count = 0;
  *list = NULL;
  while (count < MOST_THREADS) {
    *list = xrealloc(*list, (count + 1) * sizeof **list);
    struct snapshot_thread *t = &(*list)[count];
    if (!procfs_memory(child, address + count * sizeof *t, t, sizeof *t) || t->tid < 0 ||
        t->how > SNAPSHOT_PROC)
      return 0;
    if (t->tid == 0)
      return count;
    count++;
  }
  return 0;
}

// Is the child's stack still as the thread was when its registers were taken?
static const char *
exactness(pid_t child, const struct snapshot_thread *t)
{
  unsigned char then[COMPARED], now[COMPARED];
  uint64_t sp = t->registers.at[REG_SP], skip = sp - t->copy_at;
  if (t->how == SNAPSHOT_PROC)
    return "approximate";
  if (skip >= t->copy_length)
    return "moved";
  size_t length = t->copy_length - skip < COMPARED ? t->copy_length - skip : COMPARED;
  bool same = procfs_memory(child, (uint64_t)(uintptr_t)t->copy + skip, then, length) &&
              procfs_memory(child, sp, now, length) && !memcmp(then, now, length);
  return same ? "unchanged" : "moved";
}

json_t *
evidence_threads(pid_t child, const json_t *fork_event, const json_t *site_event)
{
  static const char *const of_that_time[] = {"python", "python_cut", "python_unreadable",
                                             "python_name"};
  const char *address = get_string(fork_event, "evidence");
  struct snapshot_thread *list;
  if (!address)
    return NULL;
  size_t count = read_list(child, strtoull(address, NULL, 16), &list);
  struct live *live = count ? live_open(child) : NULL;
  json_t *others = live ? json_array() : NULL;
  struct live_python *python = others ? live_python_open_then(child, fork_event) : NULL;
  bool has_python = get_string(site_event, "python_version");
  for (size_t i = 0; others && i < count; i++) {
    const struct snapshot_thread *t = &list[i];
    const json_t *before = find_thread(get_array(site_event, "others"), t->tid);
    json_t *other = before ? json_copy((json_t *)(uintptr_t)before) : json_object();
    for (size_t k = 0; k < sizeof of_that_time / sizeof *of_that_time; k++)
      json_object_del(other, of_that_time[k]);
    char state[2] = {t->state == 'R' ? 'R' : 'S', 0};
    json_object_set_new(other, "tid", json_integer(t->tid));
    // At the first fork it may not have named itself yet.
    char *name = procfs_name((pid_t)get_integer(fork_event, "pid"), t->tid);
    if (!before || *name)
      json_object_set_new(other, "thread", json_string(name));
    free(name);
    json_object_set_new(other, "state", json_string(state));
    json_object_set_new(other, "exact", json_string(exactness(child, t)));
    json_object_set_new(other, "stack",
                        t->how == SNAPSHOT_NONE ? json_array()
                                                : live_stack_from(live, t->registers.at));
    live_python_add_then(python, t->tid, has_python, other);
    json_array_append_new(others, other);
  }
  live_python_close(python);
  live_close(live);
  free(list);
  return others;
}
