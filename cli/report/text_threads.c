#include "base/json_fields.h"
#include "symbols/frame.h"
#include "symbols/python_frame.h"
#include "print_stack.h"
#include "text_parts.h"
#include "base/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static char *python_histogram(const json_t *others, const struct group *group);

// `others`: threads to tell whose they are in Python, or NULL.
static char *
histogram_text(struct group *groups, size_t used, const json_t *others)
{
  char *result = xstrdup("");
  qsort(groups, used, sizeof *groups, more_threads_first);
  for (size_t i = 0; i < used; i++) {
    char *python = others ? python_histogram(others, &groups[i]) : xstrdup("");
    char *longer = xasprintf("%s%s%lld %s%s%s%s", result, i ? ", " : "", groups[i].count,
                             groups[i].name, *python ? " (" : "", python, *python ? ")" : "");
    free(python);
    free(result);
    result = longer;
  }
  return result;
}

// "2 sentry_sdk, 1 app.py", of the threads of Python's that are in the group; "app.py" for all.
static char *
python_histogram(const json_t *others, const struct group *group)
{
  struct group *groups = xrealloc(NULL, (json_array_size(others) + 1) * sizeof *groups);
  json_t *names = json_array(), *other;
  size_t used = 0, i;
  json_array_foreach((json_t *)others, i, other)
  {
    const char *module = get_string(other, "group");
    char *whose = python_whose(get_array(other, "python"));
    if (whose && module && !strcmp(base_name(module), group->name) && !stopped_by_handler(other)) {
      json_array_append_new(names, json_string(whose));
      used = add_to_group(groups, used,
                          json_string_value(json_array_get(names, json_array_size(names) - 1)), 1);
    }
    free(whose);
  }
  char *text = used == 1 && groups[0].count == group->count ? xstrdup(groups[0].name)
                                                            : histogram_text(groups, used, NULL);
  json_decref(names);
  free(groups);
  return text;
}

// "62 libopenblas.so.0, 2 python3.11 (1 sentry_sdk, 1 app.py)", not escaped; "" if unknown.
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
  char *result = histogram_text(groups, used, others);
  free(groups);
  // Beyond max_threads, or where /proc cannot be read.
  long long rest = get_integer(event, "threads") - 1 - (long long)json_array_size(others);
  if (rest > 0) {
    char *longer = xasprintf("%s%s%lld not looked at", result, used ? ", " : "", rest);
    free(result);
    result = longer;
  }
  return result;
}

void
render_gone(FILE *out, const json_t *event)
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

// Threads with equal keys are shown as one entry.
static char *
thread_key(const json_t *other)
{
  json_t *parts = json_pack("[O?,O?,O?,O?,O?]", json_object_get(other, "group"),
                            json_object_get(other, "stack"), json_object_get(other, "created_by"),
                            json_object_get(other, "python"), json_object_get(other, "of"));
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

// A name that all have comes once.
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

// Its native stack is not known.
static bool
is_python_alone(const json_t *thread)
{
  return !get_array(thread, "stack") && json_array_size(get_array(thread, "python"));
}

// What was looked at, and when.
static void
put_time(FILE *out, const json_t *threads, bool earlier)
{
  const json_t *first = json_array_get(threads, 0);
  const char *exact = get_string(first, "exact"), *of = get_string(first, "of");
  if (earlier)
    fputs(", stack of that earlier fork", out);
  else if (of && !strcmp(of, "parent"))
    fputs(", as it is now in the parent: at the fork it was not looked at", out);
  else if (is_python_alone(first))
    fputs(", Python frames at the fork", out);
  else if (exact && *exact && all_equal(threads, "exact")) {
    fputs(", ", out);
    put_escaped(out, exactness(exact));
  }
}

static void
put_threads(FILE *out, const json_t *threads, const char *version, bool earlier)
{
  const json_t *first = json_array_get(threads, 0);
  const char *group = get_string(first, "group");
  const char *state = get_string(first, "state");
  put_thread_ids(out, threads);
  if (group && *group) {
    fputs(" (made by ", out);
    put_escaped(out, base_name(group));
    fputc(')', out);
  }
  if (!earlier && python_is_foreign(first, version))
    fputs(json_array_size(threads) > 1 ? ", not Python threads" : ", not a Python thread", out);
  if (state && *state && all_equal(threads, "state")) {
    fputs(", ", out);
    put_escaped(out, state_name(state));
  }
  put_time(out, threads, earlier);
  fputs(":\n", out);
  if (get_array(first, "stack") || is_python_alone(first))
    stack_print_thread(out, first, "stack", 4);
  else
    fputs("    (no stack)\n", out);
  render_creator(out, first);
}

void
render_other_threads(FILE *out, const json_t *event, bool earlier)
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
  json_object_foreach(merged, key, threads) put_threads(out, threads, version, earlier);
  json_decref(merged);
}
