#include "thread_kinds.h"

#include <stdatomic.h>

enum { KINDS = 64, REST = KINDS - 1 };  // the last one: all that find no room

static struct {
  const void *_Atomic routine;  // NULL: free
  const void *_Atomic caller;
  _Atomic int live;
} kinds[KINDS];

int
thread_kind_enter(const void *routine, const void *caller)
{
  int i = 0;

  for (; i < REST; i++) {
    const void *known = atomic_load_explicit(&kinds[i].routine, memory_order_acquire);
    // Of two that claim a place at once, one goes on to the next; a kind may have two numbers then.
    if (!known && atomic_compare_exchange_strong(&kinds[i].routine, &known, routine)) {
      kinds[i].caller = caller;
      break;
    }
    if (known == routine && kinds[i].caller == caller)
      break;
  }
  atomic_fetch_add_explicit(&kinds[i].live, 1, memory_order_relaxed);
  return i;
}

void
thread_kind_leave(int kind)
{
  atomic_fetch_sub_explicit(&kinds[kind].live, 1, memory_order_relaxed);
}

uint64_t
thread_kinds(void)
{
  uint64_t set = 0;

  for (int i = 0; i < REST && kinds[i].routine; i++) {
    if (atomic_load_explicit(&kinds[i].live, memory_order_relaxed) > 0)
      set |= (uint64_t)1 << i;
  }
  if (atomic_load_explicit(&kinds[REST].live, memory_order_relaxed) > 0)
    set |= THREAD_KIND_REST;
  return set;
}

void
thread_kinds_forget(void)
{
  for (int i = 0; i < KINDS; i++) {
    if (kinds[i].live)
      atomic_store_explicit(&kinds[i].live, 0, memory_order_relaxed);
  }
}
