#include "fork_hooks.h"

#include "redirect/promote_child.h"
#include "redirect/child_calls.h"
#include "learn/learn.h"
#include "fork/fork_handlers.h"
#include "os/hot.h"
#include "fork/fork_context.h"
#include "threads/thread_count.h"
#include "fork/fork_capture.h"
#include "libc/real_calls.h"
#include "fork/fork_emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

// A wrapper within a wrapper (libc's forkpty calls fork) leaves the event to the outer one.
bool
fork_passes(void)
{
  fh_real_resolve();
  become_real("called fork", REAL_WHOLE);
  if (process.secure || call.entry)
    return true;
  fork_start();
  learn_refuse("forked a child of its own");
  return false;
}

IN_EACH_CHILD void
fork_child_hook(void)
{
  borrow_forget();
  if (call.learn)
    learn_threads(call.learn, call.snapshot, call.own_stack, call.own_stack ? CALL_STACK : 0);
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
