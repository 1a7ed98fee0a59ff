#include "fork.h"

#include "census.h"
#include "descriptor.h"
#include "event.h"
#include "futex.h"
#include "guard.h"
#include "interpose.h"
#include "memory.h"
#include "output.h"
#include "report.h"
#include "site.h"
#include "snapshot.h"
#include "spinlock.h"
#include "story.h"
#include "task.h"
#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  SITE_STACK = 64 * 1024,
  COMPARED = 256,           // bytes at a stack pointer that tell whether the thread moved
  GONE_LISTINGS = 16,       // times that the threads at entry are listed by name
  WAIT_EXEC_NS = 50000000,  // without a driver: how long a report waits for the child to exec
  WAIT_COMPARE_NS = 20000000,
  WAIT_RELEASE_NS = 200000000,
  WAIT_CAPTURE_NS = 1000000000,
};

// One fork from the entry of the call to the report after it. Of the calling thread.
struct call {
  const char *entry;  // NULL outside a wrapper
  int threads_at_entry, threads;
  bool counted;  // the prepare handler saw several threads
  bool telling;  // a signal handler that forks now interrupts our report: hands off
  struct registers registers;
  struct site *site;
  struct snapshot *snapshot;
  struct outcome *outcome;
  size_t outcome_size;
  unsigned char *own_stack;  // copy of the caller's, from its stack pointer upward
  size_t own_stack_length;
  struct gone *at_entry;
  int at_entry_count;
  char id[32];
};

static __thread struct call call;

static _Atomic unsigned sequence;
static _Atomic int foreign_handlers;  // fork handlers registered by others
static struct spinlock capturing, unwinding;

static const char *
next_id(char *id, size_t size)
{
  snprintf(id, size, "%d.%u", (int)getpid(), ++sequence);
  return id;
}

static void *
map_private(size_t size)
{
  void *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return memory == MAP_FAILED ? NULL : memory;
}

// The threads at the entry of the call: those missing at the fork instant were stopped by handlers.
static void
list_at_entry(pid_t tid, void *argument)
{
  struct call *c = argument;

  if (tid == (pid_t)RAW(SYS_gettid) || c->at_entry_count == GONE)
    return;
  struct gone *g = &c->at_entry[c->at_entry_count++];
  long n = task_read(getpid(), tid, "comm", g->name, sizeof g->name);
  g->tid = tid;
  g->name[n > 0 ? n - 1 : 0] = 0;
}

static void end(pid_t child);

static void
begin(const char *entry)
{
  static _Atomic int listings;

  call.entry = entry;
  if (guard_filtered() && !guard_allows_report())
    return;
  // Only handlers of others can stop threads between here and the fork instant.
  if (foreign_handlers == 0)
    return;
  call.threads_at_entry = census_count();
  if (call.threads_at_entry < 2)
    return;
  process_options();
  if (listings < GONE_LISTINGS) {
    listings++;
    call.at_entry = map_private(GONE * sizeof *call.at_entry);
    if (call.at_entry)
      task_each(getpid(), list_at_entry, &call);
  }
}

static void
forget_capture(void)
{
  if (call.snapshot)
    snapshot_free(call.snapshot);
  if (call.outcome)
    munmap(call.outcome, call.outcome_size);
  if (call.own_stack)
    munmap(call.own_stack, SITE_STACK);
  call.snapshot = NULL;
  call.outcome = NULL;
  call.own_stack = NULL;
  call.counted = false;
}

static void
forget(void)
{
  forget_capture();
  if (call.at_entry)
    munmap(call.at_entry, GONE * sizeof *call.at_entry);
  memset(&call, 0, sizeof call);
}

// The fork instant: after every other prepare handler. Raw system calls and memory of our own only.
static void
on_prepare(void)
{
  int saved = errno;

  if (process.secure || call.telling || (guard_filtered() && !guard_allows_report()))
    return;
  forget_capture();  // of a fork that no handler saw the end of, or that a signal handler is in
  registers_here(&call.registers);
  call.threads = census_count();
  if (call.threads_at_entry < call.threads)
    call.threads_at_entry = call.threads;
  call.counted = call.threads > 1;
  if (!call.counted) {
    errno = saved;
    return;
  }
  const struct options *options = process_options();
  next_id(call.id, sizeof call.id);
  call.site = site_match(call.registers.at[REG_SP]);
  if (!call.site && !site_full() && options->capture != CAPTURE_OFF &&
      spinlock_try(&capturing, WAIT_CAPTURE_NS)) {
    int most = call.threads + 16 < options->max_threads ? call.threads + 16 : options->max_threads;
    call.snapshot = snapshot_take(most, (size_t)options->stack_kb * 1024, options->capture);
    spinlock_release(&capturing);
    // The list is of the very instant of the stop.
    if (call.snapshot && !call.snapshot->at_clone && call.snapshot->count < most &&
        call.threads <= most)
      call.threads = call.snapshot->count + 1;
    if (call.threads == 1) {
      forget_capture();
      errno = saved;
      return;
    }
  }
  if (!call.site) {
    call.own_stack = map_private(SITE_STACK);
    if (call.own_stack)
      call.own_stack_length =
          memory_copy_private(call.own_stack, SITE_STACK, call.registers.at[REG_SP]);
  }
  call.outcome_size = sizeof *call.outcome + (call.snapshot ? (size_t)call.snapshot->most : 0);
  if (call.snapshot) {
    void *shared =
        mmap(NULL, call.outcome_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    call.outcome = shared == MAP_FAILED ? NULL : shared;
  }
  errno = saved;
}

// In the child: is each captured stack what this process inherited?
static void
compare_stacks(const struct snapshot *s, struct outcome *outcome)
{
  for (int i = 0; i < s->count; i++) {
    const struct snapshot_thread *t = &s->threads[i];
    unsigned char now[COMPARED];
    uint64_t sp = t->registers.at[REG_SP];
    size_t skip = sp - t->copy_at;
    if (t->how != SNAPSHOT_STOPPED || t->copy_length <= skip)
      continue;
    size_t length = t->copy_length - skip < COMPARED ? t->copy_length - skip : COMPARED;
    bool same =
        memory_copy_private(now, length, sp) == length && memcmp(now, t->copy + skip, length) == 0;
    outcome->same[i] = same ? 1 : 2;
  }
}

// First in the child. Leaks rather than frees: what was mapped stays.
static void
on_child(void)
{
  int saved = errno;

  // A process that had one thread has nothing to mend, and each write costs the child a page.
  if (!call.counted && thread_live() == 0 && !process.fork_id[0])
    return;
  descriptor_close_inherited();
  spinlock_init(&capturing);
  // libunwind's own locks may be held for ever here: this process unwinds no more.
  spinlock_poison(&unwinding);
  thread_forget_others();
  if (call.counted && !call.telling) {
    memcpy(process.fork_id, call.id, sizeof process.fork_id);
    process.forked_at = now_ns(CLOCK_MONOTONIC);
    process.outcome = call.outcome;
    if (call.snapshot && call.outcome) {
      // Our end must not reach the parent while it is traced: SIGCHLD would wake another thread.
      if (call.snapshot->at_clone)
        futex_wait_shared(&call.outcome->released, WAIT_RELEASE_NS);
      compare_stacks(call.snapshot, call.outcome);
      futex_set(&call.outcome->compared, 1);
    }
  } else if (process.outcome) {
    process.outcome = NULL;  // of the child of the reported fork, which is our parent now
  }
  if (process.fork_id[0])
    process.fork_pid = getpid();
  if (!call.telling)
    memset(&call, 0, sizeof call);
  errno = saved;
}

struct telling {
  struct story story;
  struct arena arena;
  struct text text;
  bool wants_event, wants_text;
};

static void
fill_gone(struct story *story)
{
  struct gone *kept = call.at_entry;
  int n = 0;

  if (!kept || call.threads_at_entry <= call.threads)
    return;
  for (int i = 0; i < call.at_entry_count; i++) {
    if (!task_alive(getpid(), call.at_entry[i].tid))
      kept[n++] = call.at_entry[i];
  }
  story->gone = kept;
  story->gone_count = n;
}

static void
emit(struct telling *telling)
{
  struct text *t = &telling->text;

  if (telling->wants_event) {
    t->length = 0;
    event_fork(t, &telling->story);
    if (t->truncated) {  // better without its threads than cut
      telling->story.other_count = 0;
      t->length = 0;
      t->truncated = false;
      event_fork(t, &telling->story);
    }
    output_event(t);
  }
  if (telling->wants_text) {
    t->length = 0;
    report_fork(t, &telling->story);
    output_stderr(t);
  }
}

static void
tell_first(struct telling *telling)
{
  struct story *story = &telling->story;
  struct stack_copy own = {&call.registers, call.own_stack, call.registers.at[REG_SP],
                           call.own_stack_length};
  bool known = false;

  struct modules *modules = modules_read();
  story->modules = modules;
  story_fill(story, call.snapshot, &own, &telling->arena);
  struct site *site =
      site_add(call.registers.at[REG_SP], story->site.frames, story->site.count, story->id, &known);
  if (site)
    story->seen = ++site->seen;
  if (known) {
    story->same_as = site->first;
    telling->wants_text = false;
  }
  // Our handler's and libc's frames are not the program's: begin at the function it called.
  for (int i = 0; i < story->site.count && i < 12; i++) {
    const struct module *m = modules_find(modules, story->site.frames[i].pc);
    if (m && strncmp(module_name(m), "libforkhound.so", 15) == 0 && i + 1 < story->site.count) {
      story->site.frames += i + 1;
      story->site.count -= i + 1;
      i = -1;
    }
  }
  if (call.snapshot) {
    if (call.outcome)
      futex_wait_shared(&call.outcome->compared, WAIT_COMPARE_NS);
    story_label(story, call.snapshot, call.outcome);
  }
  emit(telling);
  modules_free(modules);
}

// A fork of a site already told, or one whose threads its own handlers stopped: an event without
// stacks.
static void
tell_again(struct telling *telling)
{
  char bytes[2048];

  telling->text = (struct text){.bytes = bytes, .size = sizeof bytes};
  emit(telling);
}

// Room for the report or the event of a fork with this many other threads; only what is used costs.
static size_t
text_size(int threads)
{
  enum { FRAME = 256, MODULE = 512, STACKS = 2 };
  size_t stack = (size_t)process_options()->max_frames * FRAME;

  return (size_t)(threads + 1) * (STACKS * stack + FRAME) + MODULES * (size_t)MODULE;
}

// After the real call has returned in the parent: everything that allocates, locks or writes.
static void
tell(pid_t child)
{
  struct telling telling = {.wants_event = output_wants_events()};
  struct story *story = &telling.story;
  bool first = !call.site && call.counted;

  memcpy(story->id, call.id, sizeof story->id);
  story->time_ns = now_ns(CLOCK_REALTIME);
  story->tid = (pid_t)RAW(SYS_gettid);
  story->child = child;
  story->entry = call.entry;
  story->threads = call.threads;
  story->threads_at_entry = call.threads_at_entry;
  story->capture = "none";
  story->seen = 1;
  prctl(PR_GET_NAME, story->thread);
  fill_gone(story);
  if (call.site) {
    story->seen = ++call.site->seen;
    story->same_as = call.site->first;
  }
  if (call.snapshot) {
    story->capture = call.snapshot->stopped ? "ptrace" : "proc";
    story->why = call.snapshot->why;
    story->capture_ns = call.snapshot->capture_ns;
    story->stopped_ns = call.snapshot->stopped_ns;
  }
  // A driver decides by itself what to tell, and when.
  telling.wants_text = first && !process.events[0];
  if (telling.wants_text && process_options()->verbosity == 0 && call.outcome)
    telling.wants_text = futex_wait_shared(&call.outcome->ended, WAIT_EXEC_NS) != OUTCOME_EXEC;
  if (!telling.wants_event && !telling.wants_text)
    return;

  if (!first) {
    tell_again(&telling);
    return;
  }
  size_t arena = story_arena_size(call.snapshot);
  size_t bytes = text_size(call.snapshot ? call.snapshot->count : 0);
  unsigned char *memory = map_private(arena + bytes);
  if (!memory)
    return;
  telling.arena = (struct arena){memory, memory + arena};
  telling.text = (struct text){.bytes = (char *)memory + arena, .size = bytes};
  if (spinlock_try(&unwinding, WAIT_CAPTURE_NS)) {
    tell_first(&telling);
    spinlock_release(&unwinding);
  } else {
    emit(&telling);
  }
  munmap(memory, arena + bytes);
}

// In the parent, or after a failed fork (child -1). Child 0: not known. Signals stay as they are:
// with SIGCHLD blocked here the end of the child would wake another thread, out of a wait of its
// own. A handler that forks meanwhile is passed through (see passes()).
static void
end(pid_t child)
{
  int saved = errno, cancel_state;
  if (call.threads_at_entry < 2 && !call.counted) {
    forget();
    return;
  }
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  call.telling = true;
  if (call.snapshot) {
    snapshot_finish(call.snapshot);
    if (call.outcome)
      futex_set(&call.outcome->released, 1);
  }
  if (child >= 0 && !call.counted && call.threads_at_entry > 1 && call.at_entry)
    next_id(call.id, sizeof call.id);
  if (child >= 0 && (call.counted || (call.threads_at_entry > 1 && call.at_entry)))
    tell(child);
  forget();
  pthread_setcancelstate(cancel_state, NULL);
  errno = saved;
}

static void
on_parent(void)
{
  if (!call.entry && call.counted)
    end(0);
}

void
fork_start(void)
{
  pthread_atfork(on_prepare, NULL, on_child);
}

void
fork_late_start(void)
{
  pthread_atfork(NULL, on_parent, NULL);
}

FH_EXPORT int
__register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
{
  fh_real_resolve();
  if (prepare != on_prepare && parent != on_parent)
    foreign_handlers++;
  return fh_real.__register_atfork(prepare, parent, child, dso);
}

// A wrapper within a wrapper (libc's forkpty calls fork) leaves the event to the outer one.
static bool
passes(void)
{
  fh_real_resolve();
  return process.secure || call.entry != NULL;
}

FH_EXPORT pid_t
fork(void)
{
  if (passes())
    return fh_real.fork();
  begin("fork");
  pid_t child = fh_real.fork();
  if (child != 0)
    end(child);
  return child;
}

FH_EXPORT pid_t __fork(void) __attribute__((alias("fork"), nothrow));
FH_EXPORT pid_t __libc_fork(void) __attribute__((alias("fork"), nothrow));

// Runs no fork handlers.
FH_EXPORT pid_t
_Fork(void)
{
  if (passes())
    return fh_real._Fork();
  begin("_Fork");
  on_prepare();
  pid_t child = fh_real._Fork();
  if (child == 0)
    on_child();
  else
    end(child);
  return child;
}

FH_EXPORT int
forkpty(int *amaster, char *name, const struct termios *termp, const struct winsize *winp)
{
  if (passes())
    return fh_real.forkpty(amaster, name, termp, winp);
  begin("forkpty");
  int child = fh_real.forkpty(amaster, name, termp, winp);
  if (child != 0)
    end(child);
  return child;
}

// libc's daemon() leaves the parent by _exit(), which would lose the report: with threads its steps
// are taken here, as daemon(3) documents them.
FH_EXPORT int
daemon(int nochdir, int noclose)
{
  if (passes() || census_count() < 2)
    return fh_real.daemon(nochdir, noclose);
  begin("daemon");
  pid_t child = fh_real.fork();
  if (child != 0) {
    end(child);
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

struct clone_start {
  int (*function)(void *);
  void *argument;
};

static int
clone_main(void *argument)
{
  struct clone_start start = *(struct clone_start *)argument;

  on_child();
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
  if (passes() || !function || (flags & (CLONE_VM | CLONE_THREAD | CLONE_VFORK)))
    return fh_real.clone(function, stack, flags, argument, parent_tid, tls, child_tid);
  begin("clone");
  on_prepare();
  struct clone_start start = {function, argument};  // the child has its own copy
  int child = fh_real.clone(clone_main, stack, flags, &start, parent_tid, tls, child_tid);
  end(child);
  return child;
}
