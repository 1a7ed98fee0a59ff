#include "fork.h"

#include "interpose.h"

FH_EXPORT int
FH_WRAPPER(pthread_atfork)(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  fork_handlers(prepare, parent, child);
  return fh_real.pthread_atfork(prepare, parent, child);
}
