#include "redirect.h"

#include "vfork_state.h"
#include "fork/fork_context.h"
#include "threads/thread_count.h"
#include "exit_exec.h"
#include "learn/learned_sites.h"
#include "os/seccomp.h"
#include "libc/glibc/thread_layout.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "redirect_site.h"
#include "redirect_events.h"
#include "process/sanitizer.h"
#include "shadow_stack.h"
#include "os/linux/task.h"
#include "process/unsafe_calls.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

unsigned char forkhound_redirects;

static const char learning[] = "it is learned from";
static const char *unavailable;  // why no fork of this process is redirected, or NULL

enum { TRACER_NS = 10000000 };

// The system calls that a borrowed fork makes and a real one does not.
static bool
filter_allows(void)
{
  static const long needed[] = {
      SYS_clone3, SYS_futex,   SYS_wait4,      SYS_rt_sigaction,   SYS_sigaltstack, SYS_prctl,
      SYS_tgkill, SYS_getppid, SYS_exit_group, SYS_rt_sigprocmask, SYS_newfstatat};

  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    if (!guard_allows(needed[i]))
      return false;
  }
  return true;
}

static const char *
find_obstacle(void)
{
  const char *assumption = libc_layout_check();

  if (assumption)
    return assumption;
  const char *sanitizer = sanitizer_refuses();
  if (sanitizer)
    return sanitizer;
  if (shadow_stack_on())
    return "the shadow stack is on";
  if (!unwind_load())
    return "libunwind cannot be loaded";
  // With no arguments it is refused with EINVAL where it is known (kernel/fork.c).
  if (!filter_allows() || RAW(SYS_clone3, 0, 0) != -EINVAL)
    return "clone3() is not to be had";
  return NULL;
}

void
redirect_start(void)
{
  enum redirect_mode mode = process_options()->redirect;

  if ((mode != REDIRECT_LISTED && mode != REDIRECT_AUTO) || process.secure)
    return;
  unavailable = find_obstacle();
  if (!unavailable) {
    redirect_thread();
    ender_start();
    unsafe_calls_borrow();
  }
  forkhound_redirects = 1;
}

void
redirect_thread(void)
{
  uint64_t bottom;

  (void)libc_layout_stack_top(&bottom);
}

// A debugger may come at any time: looked for again after some milliseconds.
static bool
traced(void)
{
  static _Atomic uint64_t looked;
  uint64_t now = now_ns(CLOCK_MONOTONIC);

  if (now - looked > TRACER_NS) {
    looked = now;
    guard_look();
  }
  return guard_traced();
}

// In auto mode, of a site that the file says nothing of.
static const char *
lesson_refuses(const struct fork_site *site)
{
  bool denied;
  const char *reason = site ? fork_site_refusal(site, &denied) : NULL;

  if (reason)
    return *reason ? reason : "it is being judged";
  return site && site->safe >= SITES_FORKS ? NULL : learning;
}

static const char *
verdict_refuses(const struct redirect_site *site)
{
  if ((site->rule.verdict == SITE_NONE || site->rule.verdict == SITE_UNKNOWN) &&
      process_options()->redirect == REDIRECT_AUTO)
    return lesson_refuses(site->learned);
  switch (site->rule.verdict) {
  case SITE_ALLOW: return NULL;
  case SITE_DENY: return site->rule.reason[0] ? site->rule.reason : "the sites file denies it";
  case SITE_UNKNOWN: return "it is not known whether it may be";
  case SITE_NONE: break;
  }
  return "the sites file does not allow it";
}

// Of the stack, from the entry frame upward. Of a site that was learned from: the frame of the
// calling function, where no other thread is known to write, and above which its children write
// nothing; else all that is in use.
static size_t
part_to_save(const struct redirect *r, const struct entry_frame *frame, uint64_t top)
{
  const struct site_rule *rule = &r->site->rule;
  bool learned = rule->verdict != SITE_ALLOW || rule->learned;

  return (learned ? r->trap + sizeof r->trap : top) - (uint64_t)(uintptr_t)frame;
}

// Where the return address of the calling function stands, or 0.
static uint64_t
find_trap(const struct redirect_site *site, const struct entry_frame *frame)
{
  uint64_t bottom, top = libc_layout_stack_top(&bottom);
  uint64_t from = site->slot == SLOT_SP ? (uint64_t)(uintptr_t)(frame + 1) : frame->rbp;
  uint64_t trap = from + (uint64_t)site->slot_offset;

  if (site->slot == SLOT_UNKNOWN || trap <= (uint64_t)(uintptr_t)frame || trap >= top)
    return 0;
  return trap;
}

// NULL: the fork may be redirected, and *r says how.
static const char *
refusal(struct redirect *r, const struct entry_frame *frame)
{
  const struct redirect_site *site = r->site;
  uint64_t bottom, sp = (uint64_t)(uintptr_t)frame;
  uint64_t top = libc_layout_stack_top(&bottom);

  if (site->became_real)
    return site->real_reason;
  const char *verdict = verdict_refuses(site);
  if (verdict)
    return verdict;
  if (site->never)
    return site->never;
  if (sp < bottom || sp >= top)
    return "it runs on a stack that is not its thread's: a coroutine's, or a signal handler's";
  if (top - sp > BORROW_STACK)
    return "more than 256 KiB of the stack are in use";
  if (!r->trap)
    return "the frame that calls fork() cannot be found";
  r->save = part_to_save(r, frame, top);
  if (redirect_site_rseq_user())
    return "a library uses restartable sequences";
  if (!task_children_stay())
    return "children are in another PID namespace";
  if (!filter_allows())
    return "a seccomp filter does not allow it";
  return traced() ? "the process is traced" : NULL;
}

bool
redirect_decide(const struct entry_frame *frame, struct redirect *redirect)
{
  *redirect = (struct redirect){.trap = 0};
  if (process.secure || call.telling || census_count() < 2)
    return false;
  if (unavailable) {
    static _Atomic bool told;
    if (!atomic_exchange(&told, true))
      redirect_tell_unavailable(unavailable);
    return false;
  }
  redirect->site = redirect_site_of(frame);
  if (!redirect->site)
    return false;
  redirect->trap = find_trap(redirect->site, frame);
  const char *reason = refusal(redirect, frame);
  if (reason && reason != learning)
    redirect_tell_refusal(redirect->site, reason);
  return !reason;
}
