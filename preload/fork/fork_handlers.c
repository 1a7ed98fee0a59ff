#include "fork_handlers.h"

#include "fork_capture.h"
#include "fork_context.h"
#include "fork_emit.h"
#include "process/foreign_handlers.h"

#include <pthread.h>
#include <stdatomic.h>

static void
on_parent(void)
{
  if (!call.entry && call.counted)
    tell_end(0);
}

void
fork_start(void)
{
  static _Atomic bool started;

  // No pthread_once(): ThreadSanitizer, which intercepts it, registers handlers before it is ready.
  // Read first: a write would cost each fork a page.
  if (!started && !atomic_exchange(&started, true))
    pthread_atfork(instant_prepare, NULL, instant_child);
}

void
fork_late_start(void)
{
  pthread_atfork(NULL, on_parent, NULL);
}

void
fork_handlers(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
  if (prepare == instant_prepare || parent == on_parent)
    return;
  fork_start();
  foreign_handlers_add(prepare ? prepare : parent ? parent : child);
}
