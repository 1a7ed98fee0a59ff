#include "fork/fork_handlers.h"

#include "redirect/promote_child.h"
#include "fork/fork_context.h"
#include "threads/thread_count.h"
#include "fork/fork_capture.h"
#include "libc/real_calls.h"
#include "fork/fork_emit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

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
  instant_foreign_handlers(prepare ? prepare : parent ? parent : child);
}

// A wrapper within a wrapper (libc's forkpty calls fork) leaves the event to the outer one.
bool
fork_passes(void)
{
  fh_real_resolve();
  become_real("called fork", REAL_WHOLE);
  if (process.secure || call.entry)
    return true;
  fork_start();
  return false;
}

FH_EXPORT int
FH_WRAPPER(forkpty)(int *amaster, char *name, const struct termios *termp,
                    const struct winsize *winp)
{
  if (fork_passes())
    return fh_real.forkpty(amaster, name, termp, winp);
  instant_begin("forkpty");
  int child = fh_real.forkpty(amaster, name, termp, winp);
  if (child != 0)
    tell_end(child);
  return child;
}

// libc's daemon() leaves the parent by _exit(), which would lose the report: with threads its steps
// are taken here, as daemon(3) documents them.
FH_EXPORT int
FH_WRAPPER(daemon)(int nochdir, int noclose)
{
  if (fork_passes() || census_count() < 2)
    return fh_real.daemon(nochdir, noclose);
  instant_begin("daemon");
  pid_t child = fh_real.fork();
  if (child != 0) {
    tell_end(child);
    if (child < 0)
      return -1;
    fh_real._exit(0);
  }
  if (setsid() < 0)
    return -1;
  if (!nochdir && chdir("/") < 0 && errno != ENOENT)
    return -1;
  if (!noclose) {
    int fd = open("/dev/null", O_RDWR | O_NOCTTY);
    if (fd < 0)
      return -1;
    for (int i = 0; i < 3; i++)
      dup2(fd, i);
    if (fd > 2)
      close(fd);
  }
  return 0;
}
