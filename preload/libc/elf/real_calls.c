// ELF: a wrapper shadows the real function by its name, and next_symbol() finds what is behind.
#include "libc/real_calls.h"

#include "libc/next_symbol.h"

#include <errno.h>
#include <stdatomic.h>

struct fh_real fh_real;

void
fh_real_resolve(void)
{
  static _Atomic bool resolved;

  if (atomic_load_explicit(&resolved, memory_order_acquire))
    return;
  int saved = errno;
  // next_symbol() returns an object pointer: POSIX promises that the conversion works.
#define RESOLVE(result, symbol, parameters)                                                        \
  *(void **)(void *)&fh_real.symbol = next_symbol(#symbol);
  FH_INTERPOSED(RESOLVE)
#undef RESOLVE
  atomic_store_explicit(&resolved, true, memory_order_release);
  errno = saved;
}
