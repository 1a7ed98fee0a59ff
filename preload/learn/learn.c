#include "learn.h"

#include "calling_frame.h"
#include "census.h"
#include "event.h"
#include "fork_sites.h"
#include "futex.h"
#include "guard.h"
#include "lesson.h"
#include "libc_layout.h"
#include "memory.h"
#include "output.h"
#include "process.h"
#include "raw_syscall.h"
#include "return_trap.h"
#include "sites_file.h"
#include "stuck_child.h"
#include "symbol.h"
#include "task_linux.h"
#include "thread.h"
#include "unsafe_calls.h"
#include "unwind.h"
#include "write_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  WAIT_CHILD_NS = 200000000,  // what the thread that forks may wait for a borrowed child
  GIVE_UP_NS = 2000000000,    // for one that gets no processor
  WAIT_FIRST_NS = 500000,
  WAIT_MOST_NS = 20000000,
  WAIT_UNWINDER_NS = 1000000000,
};

struct learn {
  struct calling_frame frame;
  struct fork_site *site;
  struct lesson *lesson;
  uint64_t began;  // CLOCK_MONOTONIC
  bool waits;      // the thread that forks, for the child's verdict
  size_t stack_length;
  unsigned char stack[CALLING_STACK];  // from the frame's sp upward, before the fork
  struct notes notes;
};

static const char too_slow[] = "did not exec within 200 ms";

// In the child that is watched.
static struct learn *watched;
static pid_t watched_pid;
static bool exec_failed;

bool
learn_wanted(void)
{
  enum redirect_mode mode = process_options()->redirect;

  return mode == REDIRECT_LEARN || mode == REDIRECT_AUTO;
}

void
learn_start(void)
{
  if (!learn_wanted())
    return;
  (void)libc_layout_check();
  fork_sites_start();
}

static void
forget(struct learn *learn)
{
  if (learn->lesson)
    munmap(learn->lesson, sizeof *learn->lesson);
  munmap(learn, sizeof *learn);
}

// Tells of a fork of this site, in the parent; or in the child, after the parent has gone on.
static void
tell(const struct learn *learn, const char *action, pid_t child, enum lesson_verdict verdict,
     const char *reason)
{
  char bytes[2048];
  struct text t = {.bytes = bytes, .size = sizeof bytes};
  struct redirect_story story = {
      .module = learn->frame.path,
      .offset = learn->frame.offset,
      .function = atomic_load(&learn->site->named) ? learn->site->function : "-",
      .verdict = verdict == LESSON_SAFE     ? "allow"
                 : verdict == LESSON_DENIED ? "deny"
                                            : "unknown",
      .reason = reason,
      .calls = learn->lesson->calls,
      .child = child,
      .stack = verdict == LESSON_SAFE ? learn->lesson->reach : 0,
      .after_ns = now_ns(CLOCK_MONOTONIC) - learn->began,
  };

  if (!output_wants_events())
    return;
  event_redirect(&t, action, &story);
  if (!t.truncated)
    output_event(&t);
}

static void
name_site(const struct learn *learn)
{
  if (atomic_load(&learn->site->named) || !unwind_enter(WAIT_UNWINDER_NS))
    return;
  fork_site_name(learn->site, &learn->frame);
  symbol_done();
  unwind_leave();
}

static struct learn *
prepare(const void *return_address, uint64_t sp, uint64_t slot)
{
  struct calling_frame frame = {.offset = 0};
  uint64_t began = now_ns(CLOCK_MONOTONIC);
  bool denied;

  (void)calling_frame_name(&frame, return_address);
  struct fork_site *site = fork_sites_get(&frame);
  if (!site || fork_site_refusal(site, &denied))
    return NULL;
  struct learn *learn = memory_map(sizeof *learn);
  if (!learn)
    return NULL;
  learn->began = began;
  learn->site = site;
  void *shared =
      mmap(NULL, sizeof *learn->lesson, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  learn->lesson = shared == MAP_FAILED ? NULL : shared;
  if (!learn->lesson) {
    forget(learn);
    return NULL;
  }
  const char *why = calling_frame_find(&learn->frame, return_address, sp, slot, learn->stack,
                                       &learn->stack_length);
  if (!why && guard_filtered())
    why = "a seccomp filter is in force";
  name_site(learn);
  if (why) {
    fork_site_refuse(learn->site, false, why);
    tell(learn, "learned", 0, LESSON_UNKNOWN, why);
    forget(learn);
    return NULL;
  }
  learn->waits = atomic_load(&learn->site->safe) < SITES_FORKS;
  return learn;
}

struct learn *
learn_before(const void *return_address, uint64_t sp, uint64_t slot)
{
  int saved = errno;
  struct learn *learn = NULL;

  if (learn_wanted() && census_count() > 1)
    learn = prepare(return_address, sp, slot);
  errno = saved;
  return learn;
}

bool
learn_needs_threads(const struct learn *learn)
{
  return learn && learn->waits;
}

void
learn_threads(struct learn *learn, const struct snapshot *threads, const void *stack, size_t size)
{
  struct notes *notes = &learn->notes;

  notes->threads = threads;
  notes->own[0] = (struct own_memory){learn, sizeof *learn};
  notes->own[1] = (struct own_memory){threads, threads ? threads->mapped : 0};
  notes->own[2] = (struct own_memory){stack, size};
  notes->own[3].start = thread_memory(&notes->own[3].size);
}

// With the name of the variable, if the file has one.
static void
name_written(struct lesson *lesson)
{
  char name[64], place[sizeof lesson->reason];
  const char *at = strrchr(lesson->reason, ' ');

  if (!at || !symbol_find_data(lesson->path, lesson->written, name, sizeof name))
    return;
  snprintf(place, sizeof place, "%s", at + 1);
  snprintf(lesson->reason + (at + 1 - lesson->reason),
           sizeof lesson->reason - (size_t)(at + 1 - lesson->reason), "`%s` (%s)", name, place);
}

// A site's verdict is written once it is certain.
static void
list(const struct learn *learn, enum lesson_verdict verdict)
{
  const struct fork_site *site = learn->site;
  struct site_rule rule = {
      .verdict = verdict == LESSON_DENIED ? SITE_DENY : SITE_UNKNOWN,
      .offset = learn->frame.offset,
      .has_offset = true,
      .learned = true,
      .forks = verdict == LESSON_SAFE ? atomic_load(&site->safe) : 0,
      .stack = verdict == LESSON_SAFE ? atomic_load(&site->reach) : 0,
  };

  if (verdict == LESSON_SAFE && rule.forks != SITES_FORKS)
    return;
  memcpy(rule.module, learn->frame.module, sizeof rule.module);
  memcpy(rule.function, site->function, sizeof rule.function);
  memcpy(rule.reason, learn->lesson->reason, sizeof rule.reason);
  sites_conclude(&rule);
  sites_file_add(&rule);
}

// In the parent; or in the child where that has gone on.
static void
record(struct learn *learn, pid_t child, enum lesson_verdict verdict)
{
  const char *reason = verdict == LESSON_SAFE ? "" : learn->lesson->reason;

  if (verdict == LESSON_SAFE)
    fork_site_safe(learn->site, learn->lesson->reach);
  else
    fork_site_refuse(learn->site, verdict == LESSON_DENIED, reason);
  tell(learn, "learned", child, verdict, reason);
  list(learn, verdict);
}

// The child's verdict.
static void
publish(struct learn *learn, enum lesson_verdict verdict)
{
  struct lesson *lesson = learn->lesson;
  bool again = atomic_load(&lesson->verdict) != LESSON_NONE;

  if (verdict == LESSON_DENIED && lesson->path[0])
    name_written(lesson);
  if (again && verdict == LESSON_SAFE)
    return;
  futex_set(&lesson->verdict, (int)verdict);
  if (again ? verdict == LESSON_DENIED : !learn->waits)
    record(learn, watched_pid, verdict);
}

static void
stop_watching(void)
{
  watched = NULL;
  write_watch_stop();
  return_trap_remove();
}

static void
refuse(enum lesson_verdict verdict, const char *reason)
{
  struct learn *learn = watched;

  stop_watching();
  snprintf(learn->lesson->reason, sizeof learn->lesson->reason, "%s", reason);
  publish(learn, verdict);
}

static void
on_return(void)
{
  int saved = errno;

  if (watched && watched_pid == getpid())
    refuse(LESSON_DENIED, "returned from the function that called fork");
  errno = saved;
}

// Older kernels know neither the feature nor the request.
static const char *
why_no_watch(long error)
{
  if (error == -EPERM || error == -EACCES)
    return "write tracking is not allowed here";
  return error == -EINVAL || error == -ENOTTY || error == -ENOSYS
             ? "no write tracking on this kernel (6.7 needed)"
             : "write tracking cannot be started";
}

void
learn_child(struct learn *learn)
{
  int saved = errno;
  struct notes *notes = &learn->notes;
  long error = 0;

  notes->frame = &learn->frame;
  notes->lesson = learn->lesson;
  notes->asks_threads = learn->waits;
  watched = learn;
  watched_pid = getpid();
  exec_failed = false;
  if (!lesson_prepare(notes))
    refuse(LESSON_UNKNOWN, "its mappings cannot be read");
  else if (!return_trap_set((uint64_t *)learn->frame.return_slot, on_return))
    refuse(LESSON_UNKNOWN, "it has a shadow stack");
  else if ((error = write_watch_start(notes->before)) < 0)
    refuse(LESSON_UNKNOWN, why_no_watch(error));
  atomic_store(&learn->lesson->watched_at, now_ns(CLOCK_MONOTONIC));
  errno = saved;
}

bool
learn_watches(void)
{
  return watched && watched_pid == getpid();
}

// Whether it has taken longer than a borrowed child may, not counting what our own work took before
// and what it waited for a processor (proc_pid_schedstat(5)).
static bool
is_late(const struct lesson *lesson, pid_t child)
{
  uint64_t began = atomic_load(&lesson->watched_at), waited = 0;
  char text[128], *rest;

  if (!began || now_ns(CLOCK_MONOTONIC) - began <= WAIT_CHILD_NS)
    return false;
  if (task_read(child, 0, "schedstat", text, sizeof text) > 0) {
    strtoull(text, &rest, 10);
    waited = strtoull(rest, NULL, 10);
  }
  return now_ns(CLOCK_MONOTONIC) - began > WAIT_CHILD_NS + waited;
}

static enum lesson_verdict
judge(void)
{
  const char *call = unsafe_calls_borrowed();
  struct lesson *lesson = watched->lesson;
  struct text calls = {.bytes = lesson->calls, .size = sizeof lesson->calls};

  lesson->calls[0] = 0;
  unsafe_calls_list(&calls);
  if (call)
    snprintf(lesson->reason, sizeof lesson->reason, "called %s", call);
  else if (is_late(lesson, watched_pid))
    snprintf(lesson->reason, sizeof lesson->reason, "%s", too_slow);
  else
    return lesson_judge(&watched->notes);
  return LESSON_DENIED;
}

void
learn_exec(void)
{
  int saved = errno;

  if (learn_watches()) {
    enum lesson_verdict verdict = judge();
    exec_failed = true;  // until it succeeds
    publish(watched, verdict);
    if (verdict != LESSON_SAFE)
      stop_watching();
  }
  errno = saved;
}

void
learn_exit(void)
{
  int saved = errno;

  if (learn_watches()) {
    // It may have found nothing to exec.
    if (!exec_failed && !process.exec_error)
      refuse(LESSON_DENIED, "ended without exec");
    else
      publish(watched, judge());
  }
  errno = saved;
}

void
learn_refuse(const char *what)
{
  int saved = errno;

  if (learn_watches())
    refuse(LESSON_DENIED, what);
  errno = saved;
}

static bool
has_ended(pid_t child)
{
  siginfo_t info = {.si_pid = 0};

  return RAW(SYS_waitid, P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT, 0) != 0 ||
         info.si_pid == child;
}

// A child may be killed, so its end is looked for.
static enum lesson_verdict
wait_for_verdict(struct lesson *lesson, pid_t child)
{
  uint64_t end = now_ns(CLOCK_MONOTONIC) + GIVE_UP_NS;
  long wait = WAIT_FIRST_NS;
  int verdict;

  while ((verdict = futex_wait_shared(&lesson->verdict, wait)) == LESSON_NONE) {
    bool ended = has_ended(child);
    bool late = is_late(lesson, child) || now_ns(CLOCK_MONOTONIC) > end;
    if (late && !ended && stuck_child(child))
      return LESSON_NONE;
    if ((ended || late) && atomic_load(&lesson->verdict) == LESSON_NONE) {
      snprintf(lesson->reason, sizeof lesson->reason, "%s",
               ended ? "ended without exec" : too_slow);
      return LESSON_DENIED;
    }
    wait = wait * 2 < WAIT_MOST_NS ? wait * 2 : WAIT_MOST_NS;
  }
  return (enum lesson_verdict)verdict;
}

// The thread that forked has waited here, so it was another one that wrote its frames.
static bool
frame_changed(const struct learn *learn)
{
  size_t length = learn->frame.return_slot + sizeof(uint64_t) - learn->frame.sp;

  if (learn->lesson->reach > length)
    length = learn->lesson->reach;
  return length > learn->stack_length ||
         memcmp(learn->stack, (const void *)learn->frame.sp, length) != 0;
}

// False: the child is stuck, and nothing was learned.
static bool
conclude(struct learn *learn, pid_t child)
{
  struct lesson *lesson = learn->lesson;
  enum lesson_verdict verdict = wait_for_verdict(lesson, child);

  if (verdict == LESSON_SAFE && frame_changed(learn)) {
    verdict = LESSON_DENIED;
    snprintf(lesson->reason, sizeof lesson->reason,
             "another thread wrote the frame that calls fork");
  }
  if (verdict == LESSON_NONE) {
    tell(learn, "replaced", child, LESSON_UNKNOWN,
         "it waits for a lock that no thread of it holds");
    return false;
  }
  record(learn, child, verdict);
  return true;
}

bool
learn_after(struct learn *learn, pid_t child)
{
  int saved = errno, cancel_state;
  bool learned = true;

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  if (child > 0 && learn->waits)
    learned = conclude(learn, child);
  forget(learn);
  pthread_setcancelstate(cancel_state, NULL);
  errno = saved;
  return learned;
}
