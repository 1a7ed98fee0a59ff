#include "python_frame.h"
#include "base/json_fields.h"
#include "common/cpython/source_owner.h"
#include "base/message.h"
#include "base/paths.h"

#include <stdlib.h>
#include <string.h>

bool
python_evaluates(const json_t *frame)
{
  static const char name[] = "_PyEval_EvalFrameDefault";
  const char *function = get_string(frame, "function");
  return !json_is_true(json_object_get(frame, "inlined")) &&
         (json_is_true(json_object_get(frame, "evaluates")) ||
          (function && !strncmp(function, name, sizeof name - 1)));
}

bool
python_is_entry(const json_t *frame)
{
  return json_is_true(json_object_get(frame, "entry"));
}

static bool
is_beginning(const json_t *frame)
{
  static const char *const names[] = {
      "_start",  "__libc_start_main", "__libc_start_main_impl", "start_thread", "clone", "clone3",
      "__clone", "__clone3"};
  const char *function = get_string(frame, "function");
  for (size_t i = 0; function && i < sizeof names / sizeof *names; i++)
    if (!strcmp(function, names[i]))
      return true;
  return false;
}

// Whether the stack ends where threads begin, and not where the unwinder gave up. The function of a
// stripped program that calls __libc_start_main() has no name.
static bool
is_whole(const json_t *stack)
{
  size_t count = json_array_size(stack);
  return (count > 0 && is_beginning(json_array_get(stack, count - 1))) ||
         (count > 1 && is_beginning(json_array_get(stack, count - 2)));
}

bool
python_matches(const json_t *stack, const json_t *python, bool cut, bool approximate)
{
  size_t calls = 0, groups = 0, i;
  json_t *frame;
  json_array_foreach((json_t *)stack, i, frame) calls += python_evaluates(frame);
  json_array_foreach((json_t *)python, i, frame) groups += python_is_entry(frame);
  bool open = i > 0 && !python_is_entry(json_array_get(python, i - 1));
  if (calls == groups + open)
    return true;
  // What is missing is at the outer end.
  return !approximate && ((cut && calls > groups) || (calls < groups && !is_whole(stack)));
}

bool
python_is_foreign(const json_t *thread, const char *version)
{
  return version && !json_object_get(thread, "python") &&
         !json_object_get(thread, "python_unreadable") && !json_object_get(thread, "python_unread");
}

const char *
python_thread_label(const json_t *thread)
{
  const char *name = get_string(thread, "python_name");
  return name ? name : get_string(thread, "thread");
}

static char *
place_of(const json_t *frame)
{
  const char *file = get_string(frame, "file"), *function = get_string(frame, "function"), *shorter;
  if (python_file_owner(file, &shorter) == PYTHON_OWN)
    shorter = path_relative(file);
  return xasprintf("%s:%lld%s%s", shorter, get_integer(frame, "line"), function ? " in " : "",
                   function ? function : "");
}

// The outermost frame of that owner that is not the start of a thread: that of a thread which
// belongs to the standard library or to a package, such as multiprocessing.Pool's. NULL: it is
// frame `named`.
static const json_t *
outermost(const json_t *python, enum python_owner owner, size_t named)
{
  for (size_t i = json_array_size(python); i > named + 1; i--) {
    const json_t *frame = json_array_get(python, i - 1);
    const char *file = get_string(frame, "file"), *shorter;
    if (file && python_file_owner(file, &shorter) == owner &&
        strcmp(shorter, "threading.py") != 0 && *shorter != '<')
      return frame;
  }
  return NULL;
}

static char *
called_from(char *place, const json_t *caller)
{
  char *next = place_of(caller);
  if (!place)
    return next;
  char *longer = xasprintf("%s, called from %s", place, next);
  free(place);
  free(next);
  return longer;
}

bool
python_is_forkserver(const json_t *python)
{
  const char *file = get_string(json_array_get(python, 0), "file"), *shorter;
  return file && python_file_owner(file, &shorter) == PYTHON_LIBRARY &&
         !strcmp(shorter, "multiprocessing/forkserver.py");
}

char *
python_place(const json_t *python)
{
  char *place = NULL;
  enum python_owner owner = PYTHON_LIBRARY;
  size_t i, named = 0;
  json_t *frame;
  json_array_foreach((json_t *)python, i, frame)
  {
    const char *file = get_string(frame, "file"), *shorter;
    enum python_owner its = file ? python_file_owner(file, &shorter) : PYTHON_LIBRARY;
    if (!file || (place && its >= owner))
      continue;
    place = called_from(place, frame);
    owner = its;
    named = i;
  }
  const json_t *last = place && owner != PYTHON_OWN ? outermost(python, owner, named) : NULL;
  return last ? called_from(place, last) : place;
}

char *
python_whose(const json_t *python)
{
  const char *library = NULL;
  for (size_t i = json_array_size(python); i-- > 0;) {
    const char *file = get_string(json_array_get(python, i), "file"), *shorter;
    enum python_owner owner = file ? python_file_owner(file, &shorter) : PYTHON_LIBRARY;
    if (!file || *shorter == '<')
      continue;
    if (owner == PYTHON_OWN)
      return xstrdup(base_name(file));
    if (owner == PYTHON_PACKAGE)
      return xasprintf("%.*s", (int)strcspn(shorter, "/."), shorter);
    if (!library && strcmp(shorter, "threading.py") != 0)
      library = shorter;
  }
  return library ? xstrdup(library) : NULL;
}
