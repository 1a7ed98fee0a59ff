#include "fork/fork_handlers.h"

#include "hooks/fork_hooks.h"
#include "fork/fork_context.h"
#include "fork/fork_capture.h"
#include "libc/real_calls.h"
#include "fork/fork_emit.h"

FH_EXPORT int
FH_WRAPPER(pthread_atfork)(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  fork_handlers(prepare, parent, child);
  return fh_real.pthread_atfork(prepare, parent, child);
}

FH_EXPORT pid_t
FH_WRAPPER(fork)(void)
{
  if (fork_passes())
    return fh_real.fork();
  instant_begin("fork");
  pid_t child = fh_real.fork();
  if (child != 0)
    tell_end(child);
  return child;
}
