#include "foreign_handlers.h"

#include <stdatomic.h>

enum { HANDLERS = 64 };  // registrations that are remembered

static _Atomic int count;
static _Atomic uint64_t handlers[HANDLERS];

void
foreign_handlers_add(void (*handler)(void))
{
  int i = count++;

  if (i < HANDLERS)
    handlers[i] = (uint64_t)(uintptr_t)handler;
}

int
foreign_handlers_list(uint64_t *to, int most)
{
  int n = 0;

  for (int i = 0; i < count && i < HANDLERS && n < most; i++) {
    if (handlers[i])
      to[n++] = handlers[i];
  }
  return n;
}

int
foreign_handlers_count(void)
{
  return count;
}
