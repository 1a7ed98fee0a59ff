#include "symbolize.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "symbolizer/symbolizer.h"
#include "base/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
  AT_ONCE = 256,        // addresses in a question
  MOST_FAILURES = 2,    // of questions about a module, which is left alone then
  MOST_MODULES = 4096,  // kept; then all are forgotten
  MOST_KEPT = 50000,    // addresses of a module; then they are forgotten
};

// For one event.
static const long long PATIENCE_NS = 10000000000;

static const char *stripped = "";

void
symbolize_strip(const char *prefix)
{
  stripped = prefix;
}

// By its path and build-id: {"addresses": {ADDRESS: frames}, "failures": N}, the addresses in
// hexadecimal digits, with frames as debug_names() has them.
static json_t *modules;
static json_t *build_ids;  // of the event at hand: module path to hex string

// A frame's module on disk, and the address of its call there.
struct place {
  const char *path, *build_id;
  char address[32];
};

static unsigned long long
get_address(const json_t *frame, const char *key, bool *found)
{
  json_t *value = json_object_get(frame, key);
  *found = json_is_integer(value) || json_is_string(value);
  return json_is_string(value) ? strtoull(json_string_value(value), NULL, 0)
                               : (unsigned long long)json_integer_value(value);
}

static bool
place_of(const json_t *frame, bool return_address, struct place *place)
{
  bool found;
  unsigned long long address = get_address(frame, "offset", &found);
  place->path = get_string(frame, "module");
  if (!found || !place->path || *place->path != '/')
    return false;
  place->build_id = get_string(frame, "build_id");
  if (!place->build_id)
    place->build_id = get_string(build_ids, place->path);
  if (!place->build_id)
    place->build_id = "";
  if (return_address && address)
    address--;
  snprintf(place->address, sizeof place->address, "%llx", address);
  return true;
}

// Borrowed.
static json_t *
module_of(const char *path, const char *build_id)
{
  char *key = xasprintf("%s\n%s", path, build_id);
  if (json_object_size(modules) >= MOST_MODULES)
    json_object_clear(modules);
  if (!modules)
    modules = json_object();
  json_t *module = json_object_get(modules, key);
  if (!module) {
    module = json_pack("{s:{}, s:i}", "addresses", "failures", 0);
    json_object_set_new(modules, key, module);
  }
  free(key);
  return module;
}

// Borrowed array of what is known about the place, innermost call first; NULL: nothing.
static json_t *
frames_at(const struct place *place)
{
  json_t *module = module_of(place->path, place->build_id);
  return json_object_get(json_object_get(module, "addresses"), place->address);
}

static void
strip_files(json_t *frames)
{
  size_t i, prefix = strlen(stripped);
  json_t *frame;
  json_array_foreach(frames, i, frame)
  {
    const char *file = get_string(frame, "file");
    if (prefix && file && !strncmp(file, stripped, prefix))
      json_object_set_new(frame, "file", json_string(file + prefix));
  }
}

// False: no answer.
static bool
ask(const char *path, const char *build_id, const json_t *addresses, json_t *known)
{
  json_t *answer = symbolizer_ask(json_pack("{s:s, s:s, s:O}", "names", path, "build_id", build_id,
                                            "addresses", (json_t *)(uintptr_t)addresses),
                                  NULL, NULL);
  size_t i;
  json_t *address;
  json_array_foreach((json_t *)(uintptr_t)addresses, i, address)
  {
    char key[32];
    json_t *frames = json_array_get(answer, i);
    snprintf(key, sizeof key, "%llx", (unsigned long long)json_integer_value(address));
    strip_files(frames);
    if (answer)
      json_object_set(known, key, frames ? frames : json_null());
  }
  json_decref(answer);
  return answer;
}

static void
ask_for_module(const char *path, const char *build_id, json_t *wanted, long long deadline_ns)
{
  json_t *module = module_of(path, build_id), *known = json_object_get(module, "addresses");
  json_t *addresses = json_array(), *unused;
  const char *address;
  size_t left = json_object_size(wanted);
  if (json_object_size(known) > MOST_KEPT)
    json_object_clear(known);
  json_object_foreach(wanted, address, unused)
  {
    json_array_append_new(addresses, json_integer((json_int_t)strtoull(address, NULL, 16)));
    if (--left && json_array_size(addresses) < AT_ONCE)
      continue;
    json_int_t failures = get_integer(module, "failures");
    if (failures >= MOST_FAILURES || clock_ns(CLOCK_MONOTONIC) > deadline_ns)
      break;
    if (!ask(path, build_id, addresses, known))
      json_object_set_new(module, "failures", json_integer(failures + 1));
    json_array_clear(addresses);
  }
  json_decref(addresses);
}

// Only we name functions in events.
static bool
is_symbolized(const json_t *stack)
{
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)(uintptr_t)stack, i, frame)
  {
    if (json_object_get(frame, "function"))
      return true;
  }
  return false;
}

// Into {PATH: {BUILD_ID: {ADDRESS: null}}}.
static void
want_stack(json_t *stack, bool first_is_exact, json_t *wanted)
{
  size_t i;
  json_t *frame;
  struct place place;
  json_array_foreach(stack, i, frame)
  {
    if (!place_of(frame, i > 0 || !first_is_exact, &place) || frames_at(&place))
      continue;
    json_t *of_path = json_object_get(wanted, place.path);
    if (!of_path)
      json_object_set_new(wanted, place.path, of_path = json_object());
    json_t *of_file = json_object_get(of_path, place.build_id);
    if (!of_file)
      json_object_set_new(of_path, place.build_id, of_file = json_object());
    json_object_set_new(of_file, place.address, json_null());
  }
}

static json_t *
named(json_t *stack, bool first_is_exact)
{
  json_t *result = json_array(), *frame, *known;
  size_t i, j;
  struct place place;
  json_array_foreach(stack, i, frame)
  {
    json_t *frames = place_of(frame, i > 0 || !first_is_exact, &place) ? frames_at(&place) : NULL;
    if (!json_array_size(frames)) {
      json_array_append(result, frame);
      continue;
    }
    json_array_foreach(frames, j, known)
    {
      json_t *copy = json_copy(frame);
      json_object_update(copy, known);
      json_array_append_new(result, copy);
    }
  }
  return result;
}

// First, with `wanted`, each stack is asked what it needs; then, with NULL, it gets its names.
static void
visit_stack(json_t *owner, const char *key, bool first_is_exact, json_t *wanted)
{
  json_t *stack = get_array(owner, key);
  if (!stack || is_symbolized(stack))
    return;
  if (wanted)
    want_stack(stack, first_is_exact, wanted);
  else
    json_object_set_new(owner, key, named(stack, first_is_exact));
}

static void
visit_thread(json_t *thread, json_t *wanted)
{
  visit_stack(thread, "stack", true, wanted);
  visit_stack(thread, "created_by", false, wanted);
}

static void
visit_event(json_t *event, json_t *wanted)
{
  json_t *others = get_array(event, "others"), *other;
  size_t i;
  visit_stack(event, "site", false, wanted);
  visit_stack(event, "stack", true, wanted);
  json_array_foreach(others, i, other)
  {
    visit_thread(other, wanted);
  }
  visit_thread(json_object_get(event, "owner"), wanted);
}

static void
ask_for_all(json_t *wanted)
{
  long long deadline_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
  const char *path, *build_id;
  json_t *of_path, *of_file;
  json_object_foreach(wanted, path, of_path)
  {
    json_object_foreach(of_path, build_id, of_file)
    {
      ask_for_module(path, build_id, of_file, deadline_ns);
    }
  }
}

// From the event's list "modules".
static json_t *
read_build_ids(const json_t *event)
{
  json_t *result = json_object(), *item;
  size_t i;
  json_array_foreach(get_array(event, "modules"), i, item)
  {
    const char *path = get_string(item, "path");
    if (path && get_string(item, "build_id"))
      json_object_set(result, path, json_object_get(item, "build_id"));
  }
  return result;
}

void
symbolize_event(json_t *event)
{
  if (json_object_get(event, "symbolized"))
    return;
  bool any = get_array(event, "site") || get_array(event, "others") || get_array(event, "stack");
  if (!any)
    return;
  json_t *wanted = json_object();
  build_ids = read_build_ids(event);
  visit_event(event, wanted);
  ask_for_all(wanted);
  visit_event(event, NULL);
  json_decref(wanted);
  json_decref(build_ids);
  build_ids = NULL;
  json_object_set_new(event, "symbolized", json_true());
}
