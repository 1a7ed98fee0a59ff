// The order in which all starts, before the first thread is made: what waits for it, and why, is
// with each function.
#include "exec_hooks.h"
#include "fork/fork_handlers.h"
#include "learn/learn.h"
#include "os/seccomp.h"
#include "process/harmless_filters.h"
#include "process/process.h"
#include "process/stop_budget.h"
#include "process/unsafe_calls.h"
#include "redirect/promote_child.h"
#include "redirect/redirect.h"
#include "threads/thread_start.h"
#include "unwind/unwind.h"

void
thread_start_first(void)
{
  fork_start();
  exec_start();
  budget_start();
  (void)process_options();
  guard_trust(harmless_filters);
  guard_look();
  (void)unwind_load();
  unsafe_calls_resolve();
  redirect_start();
  learn_start();
  fork_late_start();
}

void
thread_start_before(void)
{
  become_real("called pthread_create", REAL_WHOLE);
}

void
thread_start_each(void)
{
  unsafe_calls_thread();
  learn_refuse("called pthread_create");
}

void
thread_start_new(void)
{
  if (forkhound_redirects)
    redirect_thread();
}

bool
thread_start_clears_registers(void)
{
  return learn_wanted();
}
