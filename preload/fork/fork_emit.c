#include "fork_emit.h"

#include "process/output_stderr.h"
#include "os/map.h"
#include "fork_context.h"
#include "capture/stack_check.h"
#include "report/event_json.h"
#include "os/futex.h"
#include "os/hot.h"
#include "os/memory.h"
#include "process/output.h"
#include "report/python_frames.h"
#include "report/report_text.h"
#include "report/suppression.h"
#include "os/task.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
  WAIT_EXEC_NS = 50000000,  // without a driver: how long a report waits for the child to exec
  WAIT_UNWINDER_NS = 1000000000,
};

// The process that told of a hazard as text: no page to write in a child.
static _Atomic pid_t told;

bool
tell_any(void)
{
  return told == getpid();
}

IN_EACH_CHILD void
tell_child(void)
{
  unwind_child();
}

void
tell_grandchild(void)
{
  char bytes[1024];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  if (!process.events.value[0])
    return;
  event_child(&t);
  if (!t.truncated)
    output_event(&t);
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

  python_story_test(&telling->story);
  if (telling->wants_event) {
    t->length = 0;
    event_fork(t, &telling->story);
    if (t->truncated && telling->story.interpreter) {  // better without a part than cut
      telling->story.interpreter = NULL;
      t->length = 0;
      t->truncated = false;
      event_fork(t, &telling->story);
    }
    if (t->truncated) {
      telling->story.other_count = 0;
      t->length = 0;
      t->truncated = false;
      event_fork(t, &telling->story);
    }
    // Where the driver cannot be reached (chroot, no rights, no descriptors), stderr may still do.
    if (!output_event(t) && !telling->story.same_as[0] && !telling->story.redirected)
      telling->wants_text = true;
  }
  if (telling->wants_text) {
    t->length = 0;
    report_fork(t, &telling->story, output_wants_color());
    output_stderr(t);
    told = getpid();
  }
}

static bool
is_own_frame(const struct frame *frame, const struct modules *modules)
{
  const struct module *m = modules_find(modules, frame->pc);

  return m && module_is_own(m);
}

// The frames of our wrapper and of what it called, libc's and our handler's, are not the program's.
// Other frames of ours are further out: a thread that pthread_create() made begins in one.
static void
begin_at_caller(struct story_stack *stack, const struct modules *modules)
{
  int first = 0;

  for (int i = 0; i < stack->count && stack->frames[i].slot < call.wrapper_sp; i++) {
    if (is_own_frame(&stack->frames[i], modules))
      first = i;
  }
  while (first + 1 < stack->count && is_own_frame(&stack->frames[first], modules))
    first++;
  stack->frames += first;
  stack->count -= first;
}

static void
tell_first(struct telling *telling)
{
  struct story *story = &telling->story;
  struct stack_copy own = {&call.registers, call.own_stack, call.registers.at[REG_SP],
                           call.own_stack_length};

  struct modules *modules = modules_read();
  story->modules = modules;
  story_fill(story, call.snapshot, &own, &telling->arena);
  struct site *site = call.redirected ? NULL
                                      : site_add(call.registers.at[REG_SP], story->site.frames,
                                                 story->site.count, python_story_place());
  if (site) {
    story->seen = site_see(site);
    if (!site_report(site, story, call.kinds, call.sequence))
      site_reported(site, story->same_as);
  }
  if (story->same_as[0]) {
    telling->wants_text = false;
  } else {
    uint64_t python = python_story_fill(story, call.snapshot, telling->text.bytes);
    if (site && !site->python)  // it was not known before that there is an interpreter
      site->python = python;
  }
  begin_at_caller(&story->site, modules);
  if (call.snapshot) {
    if (call.outcome)
      compare_from_parent(call.snapshot, call.outcome, story->child);
    story_label(story, call.snapshot, call.outcome);
  }
  if (telling->wants_text && suppression_fits(story))
    telling->wants_text = false;
  emit(telling);
  python_story_free();
  modules_free(modules);
}

// A fork of a site already told, or one whose threads its own handlers stopped: an event without
// stacks.
static void
tell_again(struct telling *telling)
{
  char bytes[2048 + TEST];

  telling->text = (struct text){.bytes = bytes, .size = sizeof bytes};
  emit(telling);
}

// Room for the report or the event of a fork with this many other threads; only what is used costs.
static size_t
text_size(int threads)
{
  enum { FRAME = 256, MODULE = 512, STACKS = 3 };  // two native stacks, one of Python
  size_t stack = (size_t)process_options()->max_frames * FRAME;

  size_t size = (size_t)(threads + 1) * (STACKS * stack + FRAME) + MODULES * (size_t)MODULE;
  return size > PAGES_MEMORY ? size : PAGES_MEMORY;  // Python's frames are read through it
}

// Apart from tell(), which often does not come to need the pages of stack that a story takes.
static __attribute__((noinline)) void
tell_story(pid_t child, bool first, bool wants_event)
{
  struct telling telling = {.wants_event = wants_event};
  struct story *story = &telling.story;

  memcpy(story->id, call.id, sizeof story->id);
  story->time_ns = now_ns(CLOCK_REALTIME);
  story->tid = task_self();
  story->child = child;
  story->entry = call.entry;
  story->threads = call.threads;
  story->threads_at_entry = call.threads_at_entry;
  story->capture = "none";
  story->seen = 1;
  task_own_name(story->thread);
  fill_gone(story);
  if (call.site) {
    story->python_evidence = python_story_kept();
    story->seen = site_seen(call.site);
    site_reported(call.site, story->same_as);
  }
  if (call.redirected) {
    story->redirected = true;
    story->seen = call.redirected_seen;
    if (!first)
      memcpy(story->same_as, call.redirected, sizeof story->same_as);
  }
  if (call.snapshot) {
    story->capture = snapshot_means(call.snapshot);
    story->why = call.snapshot->why;
    story->capture_ns = call.snapshot->capture_ns;
    story->stopped_ns = call.snapshot->stopped_ns;
    if (call.site)
      story->evidence = (uint64_t)(uintptr_t)call.snapshot->threads;
  }
  // A driver decides by itself what to tell, and when.
  telling.wants_text = first && !call.redirected && !process.events.value[0];
  if (telling.wants_text && process_options()->verbosity == 0 && call.outcome)
    telling.wants_text = futex_wait_shared(&call.outcome->ended, WAIT_EXEC_NS) != OUTCOME_EXEC;
  if (!first) {
    tell_again(&telling);
    return;
  }
  size_t arena = story_arena_size(call.snapshot);
  size_t bytes = text_size(call.snapshot ? call.snapshot->count : 0);
  unsigned char *memory = memory_map(arena + bytes);
  if (!memory) {
    tell_again(&telling);
    return;
  }
  telling.arena = (struct arena){memory, memory + arena};
  telling.text = (struct text){.bytes = (char *)memory + arena, .size = bytes};
  if (unwind_enter(WAIT_UNWINDER_NS)) {
    tell_first(&telling);
    unwind_leave();
  } else {
    emit(&telling);
  }
  munmap(memory, arena + bytes);
}

static void
tell(pid_t child)
{
  bool first = !call.site && call.counted && !(call.redirected && call.redirected[0]);
  bool wants_event = output_wants_events();

  if (call.site)
    site_see(call.site);
  if (first || wants_event)
    tell_story(child, first, wants_event);
}

// Signals stay as they are: with SIGCHLD blocked here the end of the child would wake another
// thread, out of a wait of its own. A handler that forks meanwhile is passed through (fork.c).
void
tell_end(pid_t child)
{
  int saved = errno, cancel_state;

  if (call.threads_at_entry < 2 && !call.counted) {
    call_forget();
    return;
  }
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  call.telling = true;
  if (call.snapshot) {
    snapshot_finish(call.snapshot);
    if (call.outcome)
      futex_set(&call.outcome->released, 1);
  }
  // Counted, or all its other threads were stopped by handlers.
  if (!call.counted && call.at_entry)
    call_number();
  if (child >= 0 && (call.counted || call.at_entry))
    tell(child);
  call_forget();
  pthread_setcancelstate(cancel_state, NULL);
  errno = saved;
}
