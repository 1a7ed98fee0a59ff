// Darwin: a thread may suspend the others of its own task and read their registers; no rights are
// needed for that.
#include "capture/snapshot.h"

#include "os/map.h"
#include "os/kernel.h"
#include "mach_state.h"
#include "os/darwin/mach_threads.h"
#include "os/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
  RED_ZONE = 128,  // bytes below sp that a leaf function may use, on both architectures
  NAME_BYTES = 16,
  PASSES = 8,  // listings of the threads: new ones may appear until all are suspended
};

// Beside struct snapshot_thread: what is needed while the threads are held.
struct held {
  thread_act_t port;
  bool suspended;
  char name[NAME_BYTES];
};

static struct held *
held_of(const struct snapshot *s)
{
  return (struct held *)(void *)(s->copies + (size_t)s->most * s->stack_bytes);
}

static bool
is_held(const struct snapshot *s, thread_act_t port)
{
  const struct held *held = held_of(s);

  for (int i = 0; i < s->count; i++) {
    if (held[i].port == port)
      return true;
  }
  return false;
}

// The thread's right becomes the snapshot's. False for one that has ended.
static bool
hold(struct snapshot *s, thread_act_t port, bool suspend)
{
  struct snapshot_thread *t = &s->threads[s->count];
  struct held *held = &held_of(s)[s->count];

  t->tid = mach_thread_id(port);
  t->state = mach_thread_run_state(port);
  if (!t->tid || !t->state)
    return false;
  mach_thread_name(port, held->name, sizeof held->name);
  held->port = port;
  held->suspended = suspend && thread_suspend(port) == KERN_SUCCESS;
  t->how = SNAPSHOT_NONE;
  t->copy = s->copies + (size_t)s->count * s->stack_bytes;
  t->copy_length = 0;
  s->count++;
  return true;
}

// Takes those of one listing that are new; returns how many.
static int
hold_new(struct snapshot *s, bool suspend)
{
  thread_act_t self = mach_threads_self();
  struct mach_threads threads;
  int before = s->count;

  s->listed = mach_threads_list(&threads);
  if (!s->listed)
    return 0;
  for (mach_msg_type_number_t i = 0; i < threads.count; i++) {
    thread_act_t port = threads.ports[i];
    // A right that is kept is no more the listing's to give back.
    if (port != self && s->count < s->most && !is_held(s, port) && hold(s, port, suspend))
      threads.ports[i] = MACH_PORT_NULL;
  }
  mach_threads_free(&threads);
  return s->count - before;
}

static void
read_held(struct snapshot *s, int i)
{
  struct snapshot_thread *t = &s->threads[i];

  if (!held_of(s)[i].suspended || !mach_state(held_of(s)[i].port, &t->registers))
    return;
  uint64_t sp = t->registers.at[REG_SP];
  t->how = SNAPSHOT_STOPPED;
  s->stopped = true;
  if (sp < RED_ZONE)
    return;
  t->copy_at = sp - RED_ZONE;
  t->copy_length = memory_copy(t->copy, s->stack_bytes, t->copy_at);
}

static void
release(struct snapshot *s)
{
  for (int i = 0; i < s->count; i++) {
    struct held *held = &held_of(s)[i];
    if (held->suspended)
      thread_resume(held->port);
    mach_port_deallocate(mach_task_self(), held->port);
  }
}

struct snapshot *
snapshot_take(int most, size_t stack_bytes, enum capture_mode mode)
{
  uint64_t begin = kernel_clock();
  bool suspend = mode != CAPTURE_PROC;
  size_t table = sizeof(struct snapshot) + ((size_t)most + 1) * sizeof(struct snapshot_thread);

  table = (table + 15) / 16 * 16;
  size_t size = table + (size_t)most * (stack_bytes + sizeof(struct held));
  struct snapshot *s = memory_map(size);
  if (!s)
    return NULL;
  s->mapped = size;
  s->most = most;
  s->stack_bytes = stack_bytes;
  s->copies = (unsigned char *)s + table;
  if (!suspend)
    s->why = "capture=proc, and this system has no /proc";

  s->stop_began = kernel_clock();
  for (int pass = 0; pass < PASSES && hold_new(s, suspend) > 0; pass++)
    ;
  for (int i = 0; i < s->count; i++)
    read_held(s, i);
  release(s);
  uint64_t end = kernel_clock();
  s->stopped_ns = s->stopped ? end - s->stop_began : 0;
  s->capture_ns = end - begin;
  if (!s->stopped && !s->why && s->count > 0)
    s->why = "the threads cannot be suspended";
  return s;
}

// Only exact mode leaves something to do here; the threads of Darwin are always taken at once.
void
snapshot_finish(struct snapshot *s)
{
  (void)s;
}

void
snapshot_free(struct snapshot *s)
{
  munmap(s, s->mapped);
}

const char *
snapshot_means(const struct snapshot *s)
{
  return s->stopped ? "mach" : "none";
}

const char *
snapshot_instead(void)
{
  return "There are no stacks of other threads";
}

void
snapshot_name(const struct snapshot *s, int i, char *name, size_t size)
{
  const char *kept = held_of(s)[i].name;
  size_t n = strlen(kept) < size ? strlen(kept) : size - 1;

  memcpy(name, kept, n);
  name[n] = 0;
}
