#include "report.h"

#include "symbol.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void
add_stack(struct text *t, const struct story *story, const struct story_stack *stack,
          const char *indent, bool first_is_return_address)
{
  for (int i = 0; i < stack->count; i++) {
    uint64_t pc = stack->frames[i].pc;
    // A return address may be the first byte of the next function.
    uint64_t inside = i > 0 || first_is_return_address ? pc - 1 : pc;
    const struct module *m = modules_find(story->modules, inside);
    char name[512] = "??";
    if (m)
      symbol_find(m->path, inside - m->base, name, sizeof name);
    text_add(t, "%s#%-2d ", indent, i);
    text_add_escaped(t, name);
    text_add(t, "%*s ", (int)(strlen(name) < 34 ? 34 - strlen(name) : 0), "");
    if (m) {
      text_add_escaped(t, module_name(m));
      text_add(t, "+0x%" PRIx64 "\n", pc - m->base);
    } else {
      text_add(t, "0x%" PRIx64 "\n", pc);
    }
  }
}

static void
add_groups(struct text *t, const struct story *story)
{
  for (int i = 0; i < story->group_count; i++) {
    text_add(t, "%s%d ", i ? ", " : "", story->groups[i].count);
    text_add_escaped(t, story->groups[i].module);
  }
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

static bool
same_thread(const struct story_thread *a, const struct story_thread *b)
{
  return a->group == b->group && a->exact == b->exact && strcmp(a->name, b->name) == 0 &&
         same_stack(&a->stack, &b->stack) && same_stack(&a->created_by, &b->created_by);
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
    text_add_escaped(t, thread->name);
    text_add(t, "\"");
    if (alike)
      text_add(t, " and %d more like it", alike);
    text_add(t, " (");
    text_add_escaped(t, thread->group);
    text_add(t, "), %s", thread->state == 'R' ? "running" : "sleeping");
    text_add(t, "%s%s:\n", thread->exact ? ", stack " : ", stack not known",
             thread->exact ? thread->exact : "");
    add_stack(t, story, &thread->stack, "    ", false);
    if (thread->creator) {
      text_add(t, "    created by thread %d at:\n", (int)thread->creator);
      add_stack(t, story, &thread->created_by, "      ", true);
    }
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
  text_add(t, "Forked by thread %d \"", (int)story->tid);
  text_add_escaped(t, story->thread);
  text_add(t, "\" at:\n");
  add_stack(t, story, &story->site, "    ", true);
  add_threads(t, story);
  if (story->why)
    text_add(t, "  Stacks are from /proc: %s.\n", story->why);
  text_add(t,
           "  What to do: fork before the threads start, exec at once in the child, or use a start "
           "method that does not fork\n  (Python: multiprocessing.set_start_method(\"spawn\")).\n");
  text_add(t,
           "%sSUMMARY: forkhound: hazard: %s of %d forked child %d with %d other thread%s alive (",
           color ? "\033[1m" : "", story->entry ? story->entry : "fork", (int)getpid(),
           (int)story->child, story->threads - 1, story->threads == 2 ? "" : "s");
  add_groups(t, story);
  text_add(t, ")%s\n==================\n", color ? "\033[0m" : "");
  symbol_done();
}
