#include "stack_check.h"

#include "os/descriptor.h"
#include "os/futex.h"
#include "os/memory.h"

#include <string.h>

enum {
  COMPARED = 256,  // bytes at a stack pointer
  WAIT_NS = 20000000,
};

// How much of the child is to be compared with the copy; 0 for a thread without one.
static size_t
compared_length(const struct snapshot_thread *t)
{
  size_t skip = t->registers.at[REG_SP] - t->copy_at;

  if (t->how != SNAPSHOT_STOPPED || t->copy_length <= skip)
    return 0;
  size_t length = t->copy_length - skip;
  return length < COMPARED ? length : COMPARED;
}

// `now` has `copied` bytes.
static unsigned char
verdict(const struct snapshot_thread *t, const void *now, size_t copied)
{
  const unsigned char *then = t->copy + (t->registers.at[REG_SP] - t->copy_at);
  size_t length = compared_length(t);

  return copied == length && memcmp(now, then, length) == 0 ? 1 : 2;
}

void
compare_in_child(const struct snapshot *s, struct outcome *outcome)
{
  for (int i = 0; i < s->count; i++) {
    const struct snapshot_thread *t = &s->threads[i];
    unsigned char now[COMPARED];
    size_t length = compared_length(t);
    if (length == 0)
      continue;
    size_t copied = memory_copy_alone(now, length, t->registers.at[REG_SP]);
    outcome->same[i] = verdict(t, now, copied);
  }
  futex_set(&outcome->compared, 1);
}

// False where nothing can be read.
static bool
compare_memory(const struct snapshot *s, struct outcome *outcome, long memory)
{
  bool any = false;

  for (int i = 0; i < s->count && !outcome->compared; i++) {
    const struct snapshot_thread *t = &s->threads[i];
    unsigned char now[COMPARED];
    size_t length = compared_length(t);
    if (length == 0)
      continue;
    size_t copied = memory_copy_from(memory, now, length, t->registers.at[REG_SP]);
    any = any || copied > 0;
    // Read before the child was done comparing, so before it could change anything.
    if (any && !outcome->compared)
      outcome->same[i] = verdict(t, now, copied);
  }
  return any || outcome->compared;
}

static bool
has_copies(const struct snapshot *s)
{
  for (int i = 0; i < s->count; i++) {
    if (compared_length(&s->threads[i]) > 0)
      return true;
  }
  return false;
}

void
compare_from_parent(const struct snapshot *s, struct outcome *outcome, pid_t child)
{
  if (!has_copies(s))
    return;
  long memory = memory_open(child);
  bool read = memory >= 0 && compare_memory(s, outcome, memory);

  if (memory >= 0)
    descriptor_close(memory);
  if (!read)
    futex_wait_shared(&outcome->compared, WAIT_NS);
}
