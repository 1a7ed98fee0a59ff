#include "fork_capture.h"

#include "process/foreign_handlers.h"
#include "os/map.h"
#include "process/stop_budget.h"
#include "fork_context.h"
#include "threads/thread_count.h"
#include "capture/stack_check.h"
#include "os/descriptor.h"
#include "os/futex.h"
#include "os/seccomp.h"
#include "os/hot.h"
#include "os/memory.h"
#include "report/python_frames.h"
#include "os/spinlock.h"
#include "os/task.h"
#include "fork_emit.h"
#include "threads/thread_table.h"
#include "threads/thread_kinds.h"
#include "process/unsafe_calls.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  EVIDENCE_STACK = 512,  // of each stack, to tell whether it moved
  GONE_LISTINGS = 16,    // times that the threads at entry are listed by name
  WAIT_RELEASE_NS = 200000000,
  WAIT_CAPTURE_NS = 1000000000,
};

static struct spinlock capturing;

// The threads at the entry of the call: those missing at the fork instant were stopped by handlers.
static void
list_at_entry(pid_t tid, void *argument)
{
  struct call *c = argument;

  if (tid == task_self() || c->at_entry_count == GONE)
    return;
  struct gone *g = &c->at_entry[c->at_entry_count++];
  g->tid = tid;
  task_name(getpid(), tid, g->name, sizeof g->name);
}

void
instant_begin(const char *entry)
{
  static _Atomic int listings;

  call.entry = entry;
  call.wrapper_sp = (uint64_t)(uintptr_t)__builtin_dwarf_cfa();
  if (guard_filtered() && !guard_allows_report())
    return;
  // Only handlers of others can stop threads between here and the fork instant.
  if (foreign_handlers_count() == 0)
    return;
  call.threads_at_entry = census_count();
  if (call.threads_at_entry < 2)
    return;
  process_options();
  if (listings < GONE_LISTINGS) {
    listings++;
    call.at_entry = memory_map(GONE * sizeof *call.at_entry);
    if (call.at_entry)
      task_each(getpid(), list_at_entry, &call);
  }
}

static void
copy_own_stack(void)
{
  call.own_stack = memory_map(CALL_STACK);
  if (call.own_stack)
    call.own_stack_length =
        memory_copy_own_stack(call.own_stack, CALL_STACK, call.registers.at[REG_SP]);
}

// The room for this many threads and some that come meanwhile.
static int
most_threads(const struct env_options *options)
{
  return call.threads + 16 < options->max_threads ? call.threads + 16 : options->max_threads;
}

// Of a child that becomes real the parent, which captures, does not clone.
static enum capture_mode
mode(const struct env_options *options)
{
  return call.taken && options->capture == CAPTURE_EXACT ? CAPTURE_PTRACE : options->capture;
}

// A later fork of a site: the registers, in memory that the child inherits. It has the stacks
// itself. A lesson needs them, whatever they cost.
static void
leave_evidence(void)
{
  const struct env_options *options = process_options();
  bool needed = call.needs_threads;

  if (options->capture == CAPTURE_OFF || (!needed && !budget_allows(options->snapshot_budget)) ||
      !spinlock_try(&capturing, needed ? WAIT_CAPTURE_NS : 0))
    return;
  call.snapshot = snapshot_take(most_threads(options), EVIDENCE_STACK, mode(options));
  spinlock_release(&capturing);
  if (call.snapshot)
    budget_spend(call.snapshot->capture_ns);
}

// The first fork of a site.
static void
capture(void)
{
  const struct env_options *options = process_options();

  if (options->capture == CAPTURE_OFF || !spinlock_try(&capturing, WAIT_CAPTURE_NS))
    return;
  int most = most_threads(options);
  call.snapshot = snapshot_take(most, (size_t)options->stack_kb * 1024, mode(options));
  spinlock_release(&capturing);
  if (!call.snapshot)
    return;
  budget_spend(call.snapshot->capture_ns);
  // The list is of the very instant of the stop.
  if (call.snapshot->listed && call.snapshot->count < most && call.threads <= most)
    call.threads = call.snapshot->count + 1;
  call.outcome_size = sizeof *call.outcome + (size_t)call.snapshot->most;
  void *shared =
      mmap(NULL, call.outcome_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  call.outcome = shared == MAP_FAILED ? NULL : shared;
}

// Threads that pthread_create() did not make: jemalloc's, or those of a process we came late to.
static uint64_t
kinds_of(int threads)
{
  int live = thread_live();
  uint64_t kinds = live ? thread_kinds() : 0;

  return threads > live + 1 ? kinds | THREAD_KIND_REST : kinds;
}

static bool
count(void)
{
  call.threads = census_count();
  if (call.threads_at_entry < call.threads)
    call.threads_at_entry = call.threads;
  call.counted = call.threads > 1;
  if (call.counted)
    call_number();
  return call.counted;
}

// With the registers of the forking thread.
static void
take(void)
{
  if (!count())
    return;
  call.kinds = kinds_of(call.threads);
  call.site = site_match(call.registers.at[REG_SP], call.kinds);
  if (!call.site)
    copy_own_stack();
  if (call.site || site_full())
    leave_evidence();
  else
    capture();
  if (call.threads == 1)
    call_forget_capture();
  call.forked_at = now_ns(CLOCK_MONOTONIC);
}

void
instant_prepare(void)
{
  int saved = errno;

  if (process.secure || call.telling || call.taken || (guard_filtered() && !guard_allows_report()))
    return;
  call_forget_capture();  // of a fork that no handler saw the end of, or that a signal handler is
                          // in
  registers_here(&call.registers);
  take();
  errno = saved;
}

void
instant_capture(const struct registers *caller)
{
  call.registers = *caller;
  call.taken = true;
  take();
}

void
instant_note(const struct registers *caller)
{
  call.registers = *caller;
  if (count() && !call.redirected[0])
    copy_own_stack();
}

// First in the child. Leaks rather than frees: what was mapped stays. Nothing here changes errno.
IN_EACH_CHILD void
instant_child(void)
{
  // A process that had one thread has nothing to mend, and each write costs the child a page.
  if (!call.counted && thread_live() == 0 && !process.fork_id[0]) {
    call.entry = NULL;  // its next fork is one of its own
    call.wrapper_sp = 0;
    call.threads_at_entry = 0;
    return;
  }
  descriptor_close_inherited();
  spinlock_renew(&capturing);
  tell_child();
  if (call.site && call.counted && !call.telling)
    python_story_keep();
  thread_forget_others();
  fork_child_hook();
  if (call.counted && !call.telling) {
    memcpy(process.fork_id, call.id, sizeof process.fork_id);
    unsafe_calls_watch();
    process.exec_error = 0;
    process.exec_told = false;
    process.forked_at = call.forked_at;
    process.outcome = call.outcome;
    if (call.snapshot && call.outcome) {
      // Our end must not reach the parent while it is traced: SIGCHLD would wake another thread.
      if (call.snapshot->at_clone)
        futex_wait_shared(&call.outcome->released, WAIT_RELEASE_NS);
      compare_in_child(call.snapshot, call.outcome);
    }
  } else if (process.outcome) {
    process.outcome = NULL;  // of the child of the reported fork, which is our parent now
  }
  if (process.fork_id[0]) {
    process.fork_pid = getpid();
    if (!call.counted)
      tell_grandchild();
  }
  if (!call.telling)
    memset(&call, 0, sizeof call);
}
