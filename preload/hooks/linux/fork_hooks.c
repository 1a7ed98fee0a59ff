// The fork-like calls that only Linux and glibc have.
#include "fork/fork_handlers.h"

#include "hooks/fork_hooks.h"
#include "redirect/promote_child.h"
#include "fork/fork_context.h"
#include "fork/fork_capture.h"
#include "libc/real_calls.h"
#include "learn/learn.h"
#include "learn/stuck_child.h"
#include "fork/fork_emit.h"

#include <sched.h>
#include <stdarg.h>

FH_EXPORT int
__register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
{
  fh_real_resolve();
  become_real("called pthread_atfork", REAL_WHOLE);
  fork_handlers(prepare, parent, child);
  return fh_real.__register_atfork(prepare, parent, child, dso);
}

// As long as a site is learned from in auto mode its children are real, and one that is stuck
// before fork() has returned is replaced.
enum { MOST_CHILDREN = 20 };

static pid_t
fork_once(const void *return_address, uint64_t sp, uint64_t slot, bool *stuck)
{
  instant_begin("fork");
  struct learn *learn = learn_before(return_address, sp, slot);
  call.learn = learn;
  call.needs_threads = learn_needs_threads(learn);
  pid_t child = fh_real.fork();
  if (child != 0)
    tell_end(child);
  if (learn && child == 0)
    learn_child(learn);
  else if (learn)
    *stuck = !learn_after(learn, child);
  return child;
}

// fork() of fork_entry.S, where it is real.
__attribute__((visibility("hidden"))) pid_t
forkhound_fork(void)
{
  if (fork_passes())
    return fh_real.fork();
  const void *caller = __builtin_return_address(0);
  uint64_t sp = (uint64_t)(uintptr_t)__builtin_dwarf_cfa(), slot = call.slot;
  for (int i = 1;; i++) {
    bool stuck = false;
    pid_t child = fork_once(caller, sp, slot, &stuck);
    if (!stuck || i == MOST_CHILDREN)
      return child;
    stuck_child_end(child);
  }
}

// Runs no fork handlers.
FH_EXPORT pid_t
_Fork(void)
{
  if (fork_passes())
    return fh_real._Fork();
  instant_begin("_Fork");
  instant_prepare();
  pid_t child = fh_real._Fork();
  if (child == 0)
    instant_child();
  else
    tell_end(child);
  return child;
}

struct clone_start {
  int (*function)(void *);
  void *argument;
};

static int
clone_main(void *argument)
{
  struct clone_start start = *(struct clone_start *)argument;

  instant_child();
  return start.function(start.argument);
}

FH_EXPORT int
clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
  va_list more;

  va_start(more, argument);
  pid_t *parent_tid = va_arg(more, pid_t *);
  void *tls = va_arg(more, void *);
  pid_t *child_tid = va_arg(more, pid_t *);
  va_end(more);
  // With shared memory it is a thread, or waits to exec.
  if (fork_passes() || !function || (flags & (CLONE_VM | CLONE_THREAD | CLONE_VFORK)))
    return fh_real.clone(function, stack, flags, argument, parent_tid, tls, child_tid);
  instant_begin("clone");
  instant_prepare();
  struct clone_start start = {function, argument};  // the child has its own copy
  int child = fh_real.clone(clone_main, stack, flags, &start, parent_tid, tls, child_tid);
  tell_end(child);
  return child;
}
