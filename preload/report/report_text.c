#include "report_text.h"

#include "common/cpython/source_owner.h"
#include "unwind/symbol.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void
add_python_frame(struct text *t, const struct python_frame *frame, const char *indent)
{
  text_add(t, "%s    File \"", indent);
  text_add_escaped(t, frame->file);
  if (frame->line)
    text_add(t, "\", line %d, in ", frame->line);
  else
    text_add(t, "\", line ?, in ");
  text_add_escaped(t, frame->function);
  text_add(t, "\n");
}

// Each call of CPython's evaluation function runs one group of Python frames: all of them are there
// if there are as many of both.
static bool
matches(const struct story *story, const struct story_stack *stack,
        const struct story_python *python)
{
  int calls = 0, groups = 0;

  for (int i = 0; i < stack->count; i++)
    calls += python_is_evaluation(story->interpreter, stack->frames[i].pc);
  for (int i = 0; i < python->count; i++)
    groups += python->frames[i].entry;
  return calls == groups && !python->cut;
}

static const struct story_python no_python;

// `python`: the Python frames of the same thread, or none of them.
static void
add_stack(struct text *t, const struct story *story, const struct story_stack *stack,
          const struct story_python *python, const char *indent, bool first_is_return_address)
{
  int count = story->interpreter ? python->count : 0, shown = 0, number = 0;
  bool merged = count > 0 && matches(story, stack, python);

  for (int i = 0; i < stack->count; i++) {
    uint64_t pc = stack->frames[i].pc;
    // A return address may be the first byte of the next function.
    uint64_t inside = i > 0 || first_is_return_address ? pc - 1 : pc;
    const struct module *m = modules_find(story->modules, inside);
    char name[512] = "??";
    if (m && module_is_own(m))
      continue;
    if (m)
      symbol_find(m->path, inside - m->base, name, sizeof name);
    text_add(t, "%s#%-2d ", indent, number++);
    text_add_escaped(t, name);
    text_add(t, "%*s ", (int)(strlen(name) < 34 ? 34 - strlen(name) : 0), "");
    if (m) {
      text_add_escaped(t, module_name(m));
      text_add(t, "+0x%" PRIx64 "\n", pc - m->base);
    } else {
      text_add(t, "0x%" PRIx64 "\n", pc);
    }
    if (!merged || !python_is_evaluation(story->interpreter, pc))
      continue;
    do {
      add_python_frame(t, &python->frames[shown], indent);
    } while (!python->frames[shown++].entry);
  }
  if (shown < count)
    text_add(t, "%sPython, not matched with the frames above:\n", indent);
  for (; shown < count; shown++)
    add_python_frame(t, &python->frames[shown], indent);
  if (count > 0 && python->cut)
    text_add(t, "%s    ...\n", indent);
}

static void
add_groups(struct text *t, const struct story *story)
{
  for (int i = 0; i < story->group_count; i++) {
    text_add(t, "%s%d ", i ? ", " : "", story->groups[i].count);
    text_add_escaped(t, story->groups[i].module);
  }
  int rest = story->threads - 1 - story->other_count;
  if (rest > 0)
    text_add(t, "%s%d not looked at", story->group_count ? ", " : "", rest);
}

static bool
same_stack(const struct story_stack *a, const struct story_stack *b)
{
  if (a->count != b->count)
    return false;
  for (int i = 0; i < a->count; i++) {
    if (a->frames[i].pc != b->frames[i].pc)
      return false;
  }
  return true;
}

static const char *
name_of(const struct story *story, const char *name, const struct story_python *python)
{
  return story->interpreter && python->name ? python->name : name;
}

static bool
same_python(const struct story_python *a, const struct story_python *b)
{
  if (a->count != b->count)
    return false;
  for (int i = 0; i < a->count; i++) {
    const struct python_frame *x = &a->frames[i], *y = &b->frames[i];
    if (x->line != y->line || x->file != y->file || x->function != y->function)
      return false;
  }
  return true;
}

static bool
same_thread(const struct story_thread *a, const struct story_thread *b)
{
  return a->group == b->group && a->exact == b->exact && strcmp(a->name, b->name) == 0 &&
         same_stack(&a->stack, &b->stack) && same_stack(&a->created_by, &b->created_by) &&
         same_python(&a->python, &b->python);
}

static bool
is_python_process(const struct story *story)
{
  return story->interpreter && *python_version(story->interpreter);
}

static void
add_threads(struct text *t, const struct story *story)
{
  for (int i = 0; i < story->other_count; i++) {
    const struct story_thread *thread = &story->others[i];
    bool told = false;
    for (int k = 0; k < i && !told; k++)
      told = same_thread(&story->others[k], thread);
    if (told)
      continue;
    int alike = 0;
    for (int k = i + 1; k < story->other_count; k++)
      alike += same_thread(thread, &story->others[k]);
    text_add(t, "  Thread %d \"", (int)thread->tid);
    text_add_escaped(t, name_of(story, thread->name, &thread->python));
    text_add(t, "\"");
    if (alike)
      text_add(t, " and %d more like it", alike);
    text_add(t, " (");
    text_add_escaped(t, thread->group);
    text_add(t, ")%s, %s",
             is_python_process(story) && thread->python.count == PYTHON_NO_STATE
                 ? ", not a Python thread"
                 : "",
             thread->state == 'R' ? "running" : "sleeping");
    text_add(t, "%s%s:\n", thread->exact ? ", stack " : ", stack not known",
             thread->exact ? thread->exact : "");
    add_stack(t, story, &thread->stack, &thread->python, "    ", false);
    if (thread->creator) {
      text_add(t, "    created by thread %d at:\n", (int)thread->creator);
      add_stack(t, story, &thread->created_by, &no_python, "      ", true);
    }
  }
}

// Where in Python, and if that is in its library or a package, who called it.
static void
add_python_place(struct text *t, const struct story_python *python)
{
  enum python_owner owner = PYTHON_LIBRARY;

  for (int i = 0; i < python->count; i++) {
    const struct python_frame *frame = &python->frames[i];
    const char *shorter;
    enum python_owner its = python_file_owner(frame->file, &shorter);
    if (i > 0 && its >= owner)
      continue;
    owner = its;
    text_add_string(t, i == 0 ? ", at " : ", called from ");
    text_add_escaped(t, shorter);
    text_add(t, ":%d in ", frame->line);
    text_add_escaped(t, frame->function);
  }
}

void
report_fork(struct text *t, const struct story *story, bool color)
{
  const char *slash = strrchr(process.exe, '/');
  const char *program = slash ? slash + 1 : process.exe;

  text_add(t, "==================\n%sforkhound: HAZARD: child %d of %d (",
           color ? "\033[1;31m" : "", (int)story->child, (int)getpid());
  text_add_escaped(t, program);
  text_add(t, ") runs on in a copy of a process that had %d threads%s\n  ", story->threads,
           color ? "\033[0m" : "");
  if (story->group_count) {
    int others = story->threads - 1;
    text_add(t, "%d other thread%s alive: ", others, others == 1 ? " was" : "s were");
    add_groups(t, story);
    text_add(t, "\n  ");
  }
  if (story->gone_count)
    text_add(t, "%d stopped by their own fork handlers: fine\n  ", story->gone_count);
  if (story->test[0]) {
    text_add_string(t, "Running test: ");
    text_add_escaped(t, story->test);
    text_add_string(t, "\n  ");
  }
  text_add(t, "Forked by thread %d \"", (int)story->tid);
  text_add_escaped(t, name_of(story, story->thread, &story->python));
  text_add(t, "\" at:\n");
  add_stack(t, story, &story->site, &story->python, "    ", true);
  add_threads(t, story);
  if (story->why)
    text_add(t, "  %s: %s.\n", snapshot_instead(), story->why);
  if (story->interpreter && python_note(story->interpreter))
    text_add(t, "  Note: %s.\n", python_note(story->interpreter));
  text_add(t,
           "  What to do: fork before the threads start, exec at once in the child, or use a start "
           "method that does not fork\n  (Python: multiprocessing.set_start_method(\"spawn\")).\n");
  text_add(t,
           "%sSUMMARY: forkhound: hazard: %s of %d forked child %d with %d other thread%s alive (",
           color ? "\033[1m" : "", story->entry ? story->entry : "fork", (int)getpid(),
           (int)story->child, story->threads - 1, story->threads == 2 ? "" : "s");
  add_groups(t, story);
  text_add_string(t, ")");
  if (story->interpreter)
    add_python_place(t, &story->python);
  text_add(t, "%s\n==================\n", color ? "\033[0m" : "");
  symbol_done();
}
