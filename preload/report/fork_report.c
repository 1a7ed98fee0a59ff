#include "fork_report.h"

#include "os/task.h"
#include "threads/thread_table.h"

#include <string.h>

static void *
take(struct arena *arena, size_t size)
{
  size = (size + 15) / 16 * 16;
  if (size > (size_t)(arena->end - arena->next))
    return NULL;
  void *memory = arena->next;
  arena->next += size;
  return memory;
}

size_t
story_arena_size(const struct snapshot *snapshot)
{
  size_t frames = (size_t)process_options()->max_frames * sizeof(struct frame) + 16;
  size_t threads = snapshot ? (size_t)snapshot->count : 0;
  size_t each = sizeof(struct story_thread) + sizeof(struct story_group) + 2 * frames;

  return threads * each + frames + 256;
}

// The threads of a pool have stacks alike: where the same instruction pointer and the same return
// addresses stand at the same places, the frames are those unwound before.
enum { KNOWN = 32 };
static struct {
  uint64_t sp;  // of the stack that was unwound
  struct story_stack stack;
} known[KNOWN];
static int known_count, known_next;

static bool
has_frames(const struct stack_copy *copy, uint64_t sp, const struct story_stack *stack)
{
  uint64_t moved = copy->registers->at[REG_SP] - sp;

  if (stack->count < 2 || stack->frames[0].pc != copy->registers->at[REG_IP])
    return false;
  for (int i = 1; i < stack->count; i++) {
    uint64_t at = stack->frames[i].slot + moved - copy->address;
    if (at > copy->length - sizeof at || copy->length < sizeof at ||
        memcmp(copy->bytes + at, &stack->frames[i].pc, sizeof at) != 0)
      return false;
  }
  return true;
}

static struct story_stack
unwind(int (*unwinder)(const struct stack_copy *, struct frame *, int),
       const struct stack_copy *copy, struct arena *arena)
{
  struct story_stack stack = {NULL, 0};

  for (int i = 0; i < known_count; i++) {
    if (has_frames(copy, known[i].sp, &known[i].stack))
      return known[i].stack;
  }
  int most = process_options()->max_frames;
  size_t room = (size_t)(arena->end - arena->next) / sizeof(struct frame);

  if ((size_t)most > room)
    most = (int)room;
  struct frame *frames = (struct frame *)(void *)arena->next;
  stack.count = unwinder(copy, frames, most);
  stack.frames = frames;
  take(arena, (size_t)stack.count * sizeof(struct frame));
  known[known_next].sp = copy->registers->at[REG_SP];
  known[known_next].stack = stack;
  known_next = (known_next + 1) % KNOWN;
  if (known_count < KNOWN)
    known_count++;
  return stack;
}

// The module of the routine that a whole stack begins in, inside libc's start of a thread; else
// NULL.
static const struct module *
started_in(const struct story *story, const struct story_stack *stack)
{
  const struct module *m = NULL;
  int i = stack->count - 1;

  if (i >= 0)
    m = modules_find(story->modules, stack->frames[i].pc);
  if (!m || !module_starts_threads(m))
    return NULL;
  while (i >= 0 && m && module_is_runtime(m)) {
    i--;
    m = i >= 0 ? modules_find(story->modules, stack->frames[i].pc) : NULL;
  }
  return m;
}

// The first creator outside the C and C++ libraries; the start routine's module is the second
// opinion. Of a thread made past us (jemalloc looks up pthread_create itself) its own stack tells.
static const char *
group_of(const struct story *story, const struct story_thread *t, const struct origin *origin)
{
  for (int i = 0; i < t->created_by.count; i++) {
    const struct module *m = modules_find(story->modules, t->created_by.frames[i].pc);
    if (m && !module_is_runtime(m))
      return module_name(m);
  }
  const struct module *m = origin ? modules_find(story->modules, (uint64_t)(uintptr_t)origin->start)
                                  : started_in(story, &t->stack);
  return m ? module_name(m) : "unknown";
}

static void
count_group(struct story *story, const char *module)
{
  int i = 0;

  while (i < story->group_count && strcmp(story->groups[i].module, module) != 0)
    i++;
  if (i == story->group_count) {
    story->groups[i].module = module;
    story->group_count++;
  }
  story->groups[i].count++;
  for (; i > 0 && story->groups[i].count > story->groups[i - 1].count; i--) {
    struct story_group larger = story->groups[i];
    story->groups[i] = story->groups[i - 1];
    story->groups[i - 1] = larger;
  }
}

// Our own frames stand between pthread_create() or the start of a thread and the program.
static void
drop_own_frames(const struct story *story, struct story_stack *stack)
{
  while (stack->count > 1) {
    const struct module *m = modules_find(story->modules, stack->frames[0].pc);
    if (!m || !module_is_own(m))
      return;
    stack->frames++;
    stack->count--;
  }
}

static void
fill_thread(struct story *story, struct story_thread *to, const struct snapshot *snapshot, int i,
            size_t *search, struct arena *arena)
{
  const struct snapshot_thread *from = &snapshot->threads[i];

  to->tid = from->tid;
  to->state = from->state;
  const struct origin *origin = thread_origin(from->tid, to->name, search);
  if (!to->name[0])
    snapshot_name(snapshot, i, to->name, sizeof to->name);
  if (from->how != SNAPSHOT_NONE) {
    struct stack_copy copy = {&from->registers, from->copy, from->copy_at, from->copy_length};
    to->stack = unwind(unwind_stack, &copy, arena);
  }
  if (!origin)
    origin = thread_origin_at(from->thread_pointer);
  if (origin) {
    struct stack_copy copy = {&origin->registers, origin->stack, origin->registers.at[REG_SP],
                              origin->stack_length};
    to->created_by = unwind(unwind_stack, &copy, arena);
    drop_own_frames(story, &to->created_by);
    to->creator = origin->creator;
  }
  to->group = from->tid == task_main() ? "main" : group_of(story, to, origin);
  count_group(story, to->group);
}

void
story_fill(struct story *story, const struct snapshot *snapshot, const struct stack_copy *site,
           struct arena *arena)
{
  size_t search = 0;

  known_count = 0;
  known_next = 0;
  unwind_begin(story->modules);
  story->site = unwind(unwind_own_stack, site, arena);
  if (!snapshot)
    return;
  story->others = take(arena, (size_t)snapshot->count * sizeof *story->others);
  story->groups = take(arena, (size_t)snapshot->count * sizeof *story->groups);
  if (!story->others || !story->groups)
    return;
  memset(story->others, 0, (size_t)snapshot->count * sizeof *story->others);
  memset(story->groups, 0, (size_t)snapshot->count * sizeof *story->groups);
  for (int i = 0; i < snapshot->count; i++)
    fill_thread(story, &story->others[i], snapshot, i, &search, arena);
  story->other_count = snapshot->count;
}

void
story_label(struct story *story, const struct snapshot *snapshot, const struct outcome *outcome)
{
  for (int i = 0; i < story->other_count; i++) {
    enum snapshot_how how = snapshot->threads[i].how;
    if (how == SNAPSHOT_PROC)
      story->others[i].exact = "approximate";
    else if (how == SNAPSHOT_STOPPED && outcome)
      story->others[i].exact = outcome->same[i] == 1 ? "unchanged" : "moved";
  }
}
