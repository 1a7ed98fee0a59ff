#include "render.h"
#include "json_get.h"
#include "python_stack.h"
#include "render_parts.h"
#include "stack.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

char *
render_place(const struct fork_record *fork)
{
  const json_t *event = fork_stacks(fork);
  char *python = python_place(get_array(event, "python"));
  return python ? python : stack_place(get_array(event, "site"));
}

static char *
duration(long long us)
{
  if (us < 10000)
    return xasprintf("%lld us", us);
  return us < 10000000 ? xasprintf("%lld ms", us / 1000) : xasprintf("%lld s", us / 1000000);
}

/* What the child did, as the end of a sentence. */
static char *
fate(const struct fork_record *fork)
{
  char *result, *after = NULL;
  if (fork->exec_path) {
    after = duration(fork->exec_after_us);
    result = fork->outcome == OUTCOME_EXEC
                 ? xasprintf("the child exec'd %s after %s", fork->exec_path, after)
                 : xasprintf("the child ran on for %s before it exec'd %s", after, fork->exec_path);
  } else if (fork->ended && fork->outcome == OUTCOME_EXEC) {
    result = xasprintf("the child could not exec (%s) and exited with status %lld",
                       fork->exec_error, fork->status);
  } else if (fork->ended) {
    after = fork->exit_after_us < 0 ? xstrdup("an unknown time") : duration(fork->exit_after_us);
    result = fork->status_known
                 ? xasprintf("the child ran on without exec and exited with status %lld after %s",
                             fork->status, after)
             : fork->exit_after_us < 0
                 ? xstrdup("the child ran on without exec and ended")
                 : xasprintf("the child ran on without exec and ended after %s", after);
  } else {
    result = xstrdup("the child ran on without exec");
  }
  free(after);
  return result;
}

struct group {
  const char *name;
  long long count;
};

static int
more_threads_first(const void *a, const void *b)
{
  const struct group *x = a, *y = b;
  if (x->count != y->count)
    return x->count < y->count ? 1 : -1;
  return strcmp(x->name, y->name);
}

static size_t
add_to_group(struct group *groups, size_t used, const char *module, long long count)
{
  const char *name = module && *module ? base_name(module) : "unknown";
  for (size_t i = 0; i < used; i++)
    if (!strcmp(groups[i].name, name)) {
      groups[i].count += count;
      return used;
    }
  groups[used] = (struct group){name, count};
  return used + 1;
}

static bool
stopped_by_handler(const json_t *other)
{
  return json_is_true(json_object_get(other, "stopped_by_handler"));
}

/* "62 libopenblas.so.0, 1 libfoo.so", not escaped; "" if unknown. */
char *
render_histogram(const json_t *event)
{
  json_t *list = get_array(event, "groups"), *others = get_array(event, "others"), *item;
  struct group *groups =
      xrealloc(NULL, (json_array_size(list) + json_array_size(others) + 1) * sizeof *groups);
  size_t used = 0, i;
  if (json_array_size(list)) {
    json_array_foreach(list, i, item) used =
        add_to_group(groups, used, get_string(item, "module"), get_integer(item, "count"));
  } else {
    json_array_foreach(others, i, item) if (!stopped_by_handler(item)) used =
        add_to_group(groups, used, get_string(item, "group"), 1);
  }
  qsort(groups, used, sizeof *groups, more_threads_first);
  char *result = xstrdup("");
  for (i = 0; i < used; i++) {
    char *longer = xasprintf("%s%s%lld %s", result, i ? ", " : "", groups[i].count, groups[i].name);
    free(result);
    result = longer;
  }
  free(groups);
  return result;
}

static void
put_gone(FILE *out, const json_t *event)
{
  json_t *gone = get_array(event, "gone"), *others = get_array(event, "others"), *item;
  size_t count = json_array_size(gone), shown = 0, i;
  json_array_foreach(others, i, item) count += stopped_by_handler(item);
  if (!count)
    return;
  fprintf(out, "  Stopped by their own fork handlers (fine): %zu", count);
  json_array_foreach(gone, i, item)
  {
    const char *name = get_string(item, "thread");
    if (!name || shown == 8)
      break;
    fprintf(out, "%s\"", shown++ ? ", " : ": ");
    put_escaped(out, name);
    fputc('"', out);
  }
  fputs(count > shown && shown ? ", ...\n" : "\n", out);
}

static const char *
state_name(const char *state)
{
  static const char *const names[] = {
      "Rrunning", "Ssleeping", "Din an uninterruptible wait", "Tstopped", "tstopped by a tracer",
      "Zended",   "Iidle"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (state[0] == names[i][0] && !state[1])
      return names[i] + 1;
  return state;
}

static const char *
exactness(const char *exact)
{
  if (!strcmp(exact, "unchanged"))
    return "stack unchanged since the fork";
  if (!strcmp(exact, "moved"))
    return "moved on meanwhile: stack from about the fork";
  return !strcmp(exact, "approximate") ? "stack approximate" : exact;
}

/* Threads with equal keys are shown as one entry. */
static char *
thread_key(const json_t *other)
{
  json_t *parts =
      json_pack("[O?,O?,O?,O?]", json_object_get(other, "group"), json_object_get(other, "stack"),
                json_object_get(other, "created_by"), json_object_get(other, "python"));
  char *key = json_dumps(parts, JSON_COMPACT | JSON_SORT_KEYS);
  json_decref(parts);
  return key ? key : xstrdup("");
}

static bool
all_equal(const json_t *threads, const char *key)
{
  for (size_t i = 1; i < json_array_size(threads); i++)
    if (!json_equal(json_object_get(json_array_get(threads, i), key),
                    json_object_get(json_array_get(threads, 0), key)))
      return false;
  return true;
}

static void
put_name(FILE *out, const json_t *thread)
{
  const char *name = python_thread_label(thread);
  if (!name || !*name)
    return;
  fputs(" \"", out);
  put_escaped(out, name);
  fputc('"', out);
}

/* A name that all have comes once. */
static void
put_thread_ids(FILE *out, const json_t *threads)
{
  size_t count = json_array_size(threads);
  bool one_name = all_equal(threads, "thread") && all_equal(threads, "python_name");
  fprintf(out, "  Thread%s", count > 1 ? "s" : "");
  for (size_t i = 0; i < count && i < 6; i++) {
    const json_t *thread = json_array_get(threads, i);
    fprintf(out, "%s %lld", i ? "," : "", get_integer(thread, "tid"));
    if (!one_name)
      put_name(out, thread);
  }
  if (count > 6)
    fputs(", ...", out);
  if (count > 1)
    fprintf(out, " (%zu threads)", count);
  if (one_name)
    put_name(out, json_array_get(threads, 0));
}

void
render_creator(FILE *out, const json_t *thread)
{
  json_t *created_by = get_array(thread, "created_by");
  long long creator = get_integer(thread, "creator_tid");
  if (!json_array_size(created_by))
    return;
  fputs("    created", out);
  if (creator)
    fprintf(out, " by thread %lld", creator);
  if (stack_is_interpreter(created_by)) {
    fputs(" in Python\n", out);
    return;
  }
  fputs(" at:\n", out);
  stack_print(out, created_by, 6);
}

static void
put_threads(FILE *out, const json_t *threads, const char *version)
{
  const json_t *first = json_array_get(threads, 0);
  const char *group = get_string(first, "group");
  const char *state = get_string(first, "state"), *exact = get_string(first, "exact");
  put_thread_ids(out, threads);
  if (group && *group) {
    fputs(" (made by ", out);
    put_escaped(out, base_name(group));
    fputc(')', out);
  }
  if (python_is_foreign(first, version))
    fputs(json_array_size(threads) > 1 ? ", not Python threads" : ", not a Python thread", out);
  if (state && *state && all_equal(threads, "state")) {
    fputs(", ", out);
    put_escaped(out, state_name(state));
  }
  if (exact && *exact && all_equal(threads, "exact")) {
    fputs(", ", out);
    put_escaped(out, exactness(exact));
  }
  fputs(":\n", out);
  if (get_array(first, "stack"))
    stack_print_thread(out, first, "stack", 4);
  else
    fputs("    (no stack)\n", out);
  render_creator(out, first);
}

void
render_other_threads(FILE *out, const json_t *event)
{
  json_t *merged = json_object(), *other;
  size_t i;
  json_array_foreach(get_array(event, "others"), i, other)
  {
    if (!json_is_object(other) || stopped_by_handler(other))
      continue;
    char *key = thread_key(other);
    json_t *threads = json_object_get(merged, key);
    if (!threads) {
      threads = json_array();
      json_object_set_new(merged, key, threads);
    }
    json_array_append(threads, other);
    free(key);
  }
  const char *key;
  json_t *threads;
  const char *version = get_string(event, "python_version");
  json_object_foreach(merged, key, threads) put_threads(out, threads, version);
  json_decref(merged);
}

void
render_strings(FILE *out, const char *label, const json_t *strings)
{
  size_t i;
  json_t *item;
  const char *before = ": ";
  if (!json_array_size(strings))
    return;
  fprintf(out, "  %s", label);
  json_array_foreach((json_t *)strings, i, item)
  {
    if (!json_is_string(item))
      continue;
    fputs(before, out);
    put_escaped(out, json_string_value(item));
    before = ", ";
  }
  fputc('\n', out);
}

void
render_test(FILE *out, const json_t *event)
{
  const char *test = get_string(event, "test");
  if (!test)
    return;
  fputs("  Running test: ", out);
  put_escaped(out, test);
  fputc('\n', out);
}

void
render_advice(FILE *out, const char *exe, const json_t *python)
{
  const char *name = base_name(exe);
  if (python_is_forkserver(python))
    fputs("  What to do: this is the forkserver; a module that it preloads "
          "(set_forkserver_preload, or "
          "the main one)\n    has started the threads. Start them in the workers.\n",
          out);
  else if (!strncmp(name, "python", 6) || !strncmp(name, "pypy", 4))
    fputs("  What to do: fork before the threads start, or use spawn or forkserver "
          "(multiprocessing.set_start_method),\n"
          "    or exec at once in the child (subprocess).\n",
          out);
  else
    fputs("  What to do: fork before the threads start, or exec at once in the child (posix_spawn "
          "does both).\n",
          out);
}

static void
put_header(FILE *out, const struct style *style, const struct fork_record *fork)
{
  const json_t *event = fork->event;
  bool hazard = fork->outcome == OUTCOME_HAZARD;
  long long others = get_integer(event, "threads") - 1;
  const char *name = python_thread_label(event), *exe = get_string(event, "exe");
  char *end = fate(fork), *safe_name = escaped(name), *safe_exe = escaped(base_name(exe)),
       *safe_end = escaped(end);
  fprintf(out,
          "%sforkhound: %s: thread %lld \"%s\" of process %lld (%s) forked child %lld while %lld "
          "other thread%s alive, "
          "and %s%s\n",
          style->color ? (hazard ? "\033[1;31m" : "\033[1m") : "", hazard ? "HAZARD" : "exec",
          get_integer(event, "tid"), safe_name, get_integer(event, "pid"), safe_exe, fork->child,
          others, others == 1 ? " was" : "s were", safe_end, style->color ? "\033[0m" : "");
  free(end);
  free(safe_name);
  free(safe_exe);
  free(safe_end);
}

static void
put_summary_line(FILE *out, const struct style *style, const struct fork_record *fork)
{
  char *place = render_place(fork), *groups = render_histogram(fork_stacks(fork));
  char *safe_place = escaped(place), *safe_groups = escaped(groups);
  bool hazard = fork->outcome == OUTCOME_HAZARD;
  fprintf(out,
          "%sSUMMARY: forkhound: %s at %s: child %lld of %lld %s a copy of a process with %lld "
          "threads%s%s%s%s\n",
          style->color ? "\033[1m" : "", hazard ? "hazard" : "exec", safe_place, fork->child,
          get_integer(fork->event, "pid"), hazard ? "ran on in" : "exec'd in",
          get_integer(fork->event, "threads"), *groups ? " (" : "", safe_groups, *groups ? ")" : "",
          style->color ? "\033[0m" : "");
  free(place);
  free(groups);
  free(safe_place);
  free(safe_groups);
}

static void
put_fork(FILE *out, const struct style *style, const struct fork_record *fork)
{
  static const char rule[] = "==================\n";
  const json_t *event = fork_stacks(fork);
  fputs(rule, out);
  put_header(out, style, fork);
  render_test(out, fork->event);
  if (event != fork->event) {
    const char *id = get_string(event, "id");
    fputs("  The threads and stacks are those of the first fork at this place, ", out);
    put_escaped(out, id ? id : "?");
    fprintf(out, ", of child %lld.\n", get_integer(event, "child"));
  }
  char *groups = render_histogram(event);
  if (*groups) {
    fputs("  Other threads: ", out);
    put_escaped(out, groups);
    fputc('\n', out);
  }
  free(groups);
  put_gone(out, event);
  render_strings(out, "Called before exec, though not async-signal-safe", fork->unsafe_calls);
  fputs("  Forked at:\n", out);
  stack_print_thread(out, event, "site", 4);
  render_other_threads(out, event);
  render_strings(out, "Note", get_array(event, "notes"));
  if (style->verbose)
    render_strings(out, "Registered fork handlers", get_array(event, "atfork"));
  if (fork->outcome == OUTCOME_HAZARD)
    render_advice(out, get_string(fork->event, "exe"), get_array(event, "python"));
  put_summary_line(out, style, fork);
  fputs(rule, out);
}

/* The report is written in one piece: other processes write to the same terminal. */
void
render_fork(const struct style *style, const struct fork_record *fork)
{
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  if (!buffer)
    return;
  put_fork(buffer, style, fork);
  if (!fclose(buffer))
    fwrite(text, 1, size, style->out);
  free(text);
  fflush(style->out);
}

void
render_fork_again(const struct style *style, const struct fork_record *fork, const char *place,
                  long long child)
{
  const json_t *event = fork_stacks(fork);
  char *groups = render_histogram(event), *safe_groups = escaped(groups);
  char *safe_place = escaped(place), *test = escaped(get_string(event, "test"));
  fprintf(style->out,
          "forkhound: HAZARD: child %lld of %lld too, forked at %s as child %lld above, but called "
          "from elsewhere%s%s (%s; -v has the stacks)\n",
          fork->child, get_integer(fork->event, "pid"), safe_place, child,
          *test ? ", in test " : "", test, safe_groups);
  free(groups);
  free(safe_groups);
  free(safe_place);
  free(test);
  fflush(style->out);
}

void
render_summary(const struct style *style, const struct model *model)
{
  struct tally tally = model_tally(model);
  FILE *out = style->out;
  if (tally.forks) {
    fprintf(out, "forkhound: %u multithreaded fork%s from %u site%s:", tally.forks,
            tally.forks == 1 ? "" : "s", tally.sites, tally.sites == 1 ? "" : "s");
    const char *comma = "";
    if (tally.exec) {
      fprintf(out, " %u exec'd", tally.exec);
      if (tally.unsafe)
        fprintf(out, " (%u after calls that are not async-signal-safe%s)", tally.unsafe,
                style->verbose ? "" : "; -v names them");
      comma = ",";
    }
    if (tally.hazard) {
      fprintf(out, "%s %u hazard%s", comma, tally.hazard, tally.hazard == 1 ? "" : "s");
      comma = ",";
    }
    if (tally.running)
      fprintf(out, "%s %u still running", comma, tally.running);
    if (tally.deadlock)
      fprintf(out, "; %u deadlock%s", tally.deadlock, tally.deadlock == 1 ? "" : "s");
  } else {
    fputs("forkhound: no multithreaded fork seen", out);
  }
  if (tally.suspect)
    fprintf(out, "; %u suspect%s", tally.suspect, tally.suspect == 1 ? "" : "s");
  redirects_render_summary(out, &model->redirects);
  for (size_t i = 0; i < model->blind_count; i++) {
    fputs(i ? ", " : "; blind spots: ", out);
    put_escaped(out, model->blind[i].path);
    fputs(" (", out);
    put_escaped(out, model->blind[i].why);
    fputc(')', out);
  }
  fputc('\n', out);
  fflush(out);
}
