#include "vfork_child.h"

#include "signal_state.h"
#include "promote_child.h"
#include "child_pool.h"
#include "parent_wait.h"
#include "child_signals.h"
#include "redirect.h"
#include "redirect_site.h"
#include "fork/fork_context.h"
#include "os/descriptor.h"
#include "exit_exec.h"
#include "os/futex.h"
#include "os/hot.h"
#include "fork/fork_capture.h"
#include "libc/glibc/thread_layout.h"
#include "attributes/oom_score.h"
#include "raw_syscall.h"
#include "redirect_events.h"
#include "fork/fork_emit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// What fork_entry.S knows.
_Static_assert(offsetof(struct borrow, sp) == 0 && offsetof(struct borrow, parent_stack) == 8 &&
                   offsetof(struct borrow, child_stack) == 16 &&
                   offsetof(struct borrow, clone) == 64 && sizeof(struct clone_args) == 88 &&
                   sizeof(struct entry_frame) == 64,
               "the layout in fork_entry_x86_64.S");

void borrow_returns(void);
pid_t forkhound_fork(void);

static struct borrow *
lend(struct entry_frame *frame, const struct redirect *redirect)
{
  struct borrow *b = borrow_pool_take();

  if (!b)
    return NULL;
  b->sp = (uint64_t)(uintptr_t)frame;
  b->saved = redirect->save;
  b->site = redirect->site;
  b->trap = redirect->trap;
  b->trapped = *(uint64_t *)b->trap;
  b->parent = (pid_t)RAW(SYS_getpid);
  b->child = b->real = 0;
  b->exec_error = b->reminders = 0;
  b->ended = b->captured = false;
  b->reason[0] = 0;
  b->path[0] = 0;
  b->began = now_ns(CLOCK_MONOTONIC);
  b->environment_changes = borrow_changes.environment;
  b->dumpable_changes = borrow_changes.dumpable;
  b->environment = environ;
  b->dumpable = (int)RAW(SYS_prctl, PR_GET_DUMPABLE);
  b->oom_score = oom_score_read();
  RAW(SYS_sigaltstack, 0, &b->alternate);
  signals_read(b);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &b->cancel_state);
  memcpy(b->saved_stack, frame, b->saved);
  atomic_store(&b->state, BORROW_RUNS);
  atomic_store(&b->answer, 0);
  atomic_store(&b->gate, GATE_OPEN);
  b->clone = (struct clone_args){
      .flags = CLONE_VM | CLONE_CLEAR_SIGHAND | CLONE_CHILD_CLEARTID,
      .child_tid = (uint64_t)(uintptr_t)&b->state,
  };
  return b;
}

struct borrow *
borrow_enter(struct entry_frame *frame)
{
  struct redirect redirect;
  struct borrow *b = NULL;
  int saved = errno;

  become_real("called fork", REAL_WHOLE);
  // Not of a signal handler that interrupts a wrapper.
  if (!call.entry) {
    bool wanted = redirect_decide(frame, &redirect);
    call.slot = redirect.trap;
    b = wanted ? lend(frame, &redirect) : NULL;
    if (wanted && !b)
      redirect_tell_refusal(redirect.site, "too many such forks at once, or no memory");
  }
  if (b) {
    b->error = saved;
    b->mask = signals_block();
  }
  errno = saved;
  return b;
}

void
borrow_begin(struct borrow *b)
{
  borrowed = b;
  descriptor_unlisted = true;
  b->child = (pid_t)RAW(SYS_getpid);
  // The kernel gives a child that shares memory no alternate stack (kernel/fork.c).
  RAW(SYS_sigaltstack, &b->alternate, 0);
  signals_catch(b);
  *(uint64_t *)b->trap = (uint64_t)(uintptr_t)borrow_returns;
  errno = b->error;
  signals_restore(b->mask & ~(1ul << (BORROW_SIGNAL - 1)));
}

static void
take_back(struct borrow *b)
{
  if (b->dumpable_changes == borrow_changes.dumpable &&
      (int)RAW(SYS_prctl, PR_GET_DUMPABLE) != b->dumpable)
    RAW(SYS_prctl, PR_SET_DUMPABLE, b->dumpable);
  oom_score_restore(b->oom_score);
  if (b->environment_changes == borrow_changes.environment && environ != b->environment)
    environ = b->environment;
  borrowed = NULL;
  descriptor_unlisted = false;
  memcpy((void *)b->sp, b->saved_stack, b->saved);
}

void
borrow_wait(struct borrow *b, long result)
{
  if (result > 0)
    borrow_wait_for(b, (pid_t)result);
  else
    b->result = (int)result;
  take_back(b);
}

pid_t
borrow_end(struct borrow *b)
{
  int result = b->result, error = b->error;
  bool refused = result == -ENOSYS || result == -EPERM || result == -EINVAL;

  if (!b->captured && result > 0)
    redirect_tell_begin(b);
  errno = error;
  pthread_setcancelstate(b->cancel_state, NULL);
  call.redirected_seen = ++b->site->borrowed;
  signals_restore(b->mask);
  memcpy(b->id, call.id, sizeof b->id);
  tell_end(result);
  redirect_tell(b);
  if (refused)
    redirect_tell_refusal(b->site, "clone3() is refused");
  borrow_pool_give(b);
  if (refused)
    return forkhound_fork();
  errno = result < 0 ? -result : error;
  return result < 0 ? -1 : result;
}

IN_EACH_CHILD void
borrow_exec(const char *path)
{
  struct borrow *b = borrowed;
  int open = GATE_OPEN;

  if (!b)
    return;
  if (b->deferred) {
    become_real("got a signal", REAL_WHOLE);
    return;
  }
  snprintf(b->path, sizeof b->path, "%s", path ? path : "(descriptor)");
  while (!atomic_compare_exchange_strong(&b->gate, &open, GATE_EXECS) && borrow_parent_waits(b)) {
    open = GATE_OPEN;
    RAW(SYS_sched_yield);
  }
}

void
borrow_exec_failed(void)
{
  struct borrow *b = borrowed;

  if (!b)
    return;
  b->exec_error = errno;
  atomic_store(&b->gate, GATE_OPEN);
}

IN_EACH_CHILD void
borrow_exit(int status)
{
  struct borrow *b = borrowed;

  borrow_exec(NULL);  // no signal of the parent comes from now on
  if (!borrowed)
    return;
  b->ended = true;
  b->status = (status & 0xff) << 8;
  ender_exec(status);
  for (;;)
    RAW(SYS_exit_group, status);
}

IN_EACH_CHILD void
borrow_forget(void)
{
  borrow_pool_forget();
  borrow_wait_forget();
}
