#include "child_pool.h"

#include "os/map.h"
#include "vfork_state.h"
#include "os/hot.h"
#include "os/memory.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { MOST = 64, PARENT_STACK = 128 * 1024, CHILD_STACK = 16 * 1024, HEAD = 16 * 1024 };

_Static_assert(sizeof(struct borrow) <= HEAD, "the head of a mapping");

static struct borrow *_Atomic pool[MOST];

static struct borrow *
make(void)
{
  unsigned char *memory = memory_map(HEAD + PARENT_STACK + CHILD_STACK + BORROW_STACK);

  if (!memory)
    return NULL;
  struct borrow *b = (struct borrow *)(void *)memory;
  b->parent_stack = (uint64_t)(uintptr_t)(memory + HEAD + PARENT_STACK);
  b->child_stack = b->parent_stack + CHILD_STACK;
  b->saved_stack = memory + HEAD + PARENT_STACK + CHILD_STACK;
  return b;
}

struct borrow *
borrow_pool_take(void)
{
  for (int i = 0; i < MOST; i++) {
    struct borrow *b = atomic_load(&pool[i]), *none = NULL;
    bool unused = false;
    if (!b) {
      struct borrow *made = make();
      if (!made)
        return NULL;
      made->used = true;
      if (atomic_compare_exchange_strong(&pool[i], &none, made))
        return made;
      munmap(made, HEAD + PARENT_STACK + CHILD_STACK + BORROW_STACK);
      b = none;
    }
    if (atomic_compare_exchange_strong(&b->used, &unused, true))
      return b;
  }
  return NULL;
}

void
borrow_pool_give(struct borrow *b)
{
  atomic_store(&b->used, false);
}

IN_EACH_CHILD void
borrow_pool_forget(void)
{
  for (int i = 0; i < MOST && pool[i]; i++)
    atomic_store(&pool[i]->used, false);
}
