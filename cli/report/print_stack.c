#include "print_stack.h"
#include "symbols/function_name.h"
#include "base/json_fields.h"
#include "print_python.h"
#include "base/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FUNCTION_WIDTH = 48, FILE_WIDTH = 44 };

static bool
is_ours(const json_t *frame)
{
  return !strncmp(base_name(get_string(frame, "module")), "libforkhound.", 13);
}

// Of C or C++: what everybody waits in.
static bool
is_c_library(const json_t *frame)
{
  static const char *const names[] = {"libc.so",      "libc-2",     "libpthread", "libstdc++.so",
                                      "ld-linux",     "libsystem_", "libdyld.",   "libc++.",
                                      "libdispatch.", "dyld"};
  const char *name = base_name(get_string(frame, "module"));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(name, names[i], strlen(names[i])))
      return true;
  return false;
}

// What waits, of a C library that is linked statically.
static bool
is_wait(const char *function)
{
  static const char *const names[] = {
      "futex_",
      "do_futex_wait",
      "lll_lock_wait",
      "pthread_mutex_lock",
      "pthread_mutex_timedlock",
      "pthread_mutex_clocklock",
      "pthread_mutex_cond_lock",
      "pthread_rwlock_rdlock",
      "pthread_rwlock_wrlock",
      "pthread_rwlock_timed",
      "pthread_rwlock_clock",
      "pthread_cond_wait",
      "pthread_cond_timedwait",
      "pthread_cond_clockwait",
      "pthread_barrier_wait",
      "pthread_clockjoin",
      "pthread_join",
      "mtx_lock",
      "mtx_timedlock",
      "cnd_wait",
      "cnd_timedwait",
      "sem_wait",
      "sem_timedwait",
      "sem_clockwait",
      "new_sem_wait",
      "syscall",
  };
  if (!function)
    return false;
  if (!strncmp(function, "__GI_", 5))
    function += 5;
  function += strspn(function, "_");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(function, names[i], strlen(names[i])))
      return true;
  return false;
}

bool
stack_is_library(const json_t *frame)
{
  const char *function = get_string(frame, "function");
  return is_c_library(frame) || is_ours(frame) || function_is_standard(function) ||
         is_wait(function);
}

const char *
stack_relative(const char *file)
{
  static char *here;
  if (!here) {
    here = getcwd(NULL, 0);
    here = here ? here : xstrdup("");
  }
  size_t length = strlen(here);
  if (length > 1 && !strncmp(file, here, length) && file[length] == '/')
    file += length + 1;
  return file;
}

// "file:line"; "" if unknown. Not escaped.
static char *
location(const json_t *frame)
{
  const char *file = get_string(frame, "file");
  return file ? xasprintf("%s:%lld", stack_relative(file), get_integer(frame, "line"))
              : xstrdup("");
}

static char *
in_module(const json_t *frame)
{
  const char *module = get_string(frame, "module");
  if (json_is_true(json_object_get(frame, "inlined")))
    return xstrdup("(inlined)");
  json_t *offset = json_object_get(frame, "offset");
  if (!module || !*module) {
    const char *pc = get_string(frame, "pc");
    return xstrdup(pc ? pc : "");
  }
  if (json_is_string(offset))
    return xasprintf("%s+%s", base_name(module), json_string_value(offset));
  if (!offset)
    return xstrdup(base_name(module));
  return xasprintf("%s+0x%llx", base_name(module), (unsigned long long)json_integer_value(offset));
}

// Characters that a terminal shows, for text that is escaped already.
static size_t
width(const char *text)
{
  size_t count = 0;
  for (; *text; text++)
    count += ((unsigned char)*text & 0xc0) != 0x80;
  return count;
}

static void
put_column(FILE *out, const char *text, size_t columns)
{
  fputs(text, out);
  for (size_t n = width(text); n < columns; n++)
    fputc(' ', out);
  fputs("  ", out);
}

struct line {
  char *function, *location, *module;
  bool evaluates;  // Python frames
};

static char *
escaped_and_free(char *text)
{
  char *safe = escaped(text);
  free(text);
  return safe;
}

enum { PYTHON_INDENT = 4 };  // below the function, after its number

// `python`: frames that match the stack, or NULL.
static void
print(FILE *out, const json_t *stack, const json_t *python, int indent)
{
  size_t count = json_array_size(stack), used = 0, shown = 0;
  struct line *lines = xrealloc(NULL, (count + 1) * sizeof *lines);
  size_t function_width = 0, location_width = 0;
  for (size_t i = 0; i < count; i++) {
    const json_t *frame = json_array_get(stack, i);
    if (is_ours(frame))  // also below libc's syscall(), which is interposed
      continue;
    const char *function = get_string(frame, "function");
    struct line *line = &lines[used++];
    line->evaluates = python_evaluates(frame);
    line->function = escaped(function ? function : "??");
    line->location = escaped_and_free(location(frame));
    line->module = escaped_and_free(in_module(frame));
    size_t f = width(line->function), l = width(line->location);
    if (f > function_width && f <= FUNCTION_WIDTH)
      function_width = f;
    if (l > location_width && l <= FILE_WIDTH)
      location_width = l;
  }
  for (size_t i = 0; i < used; i++) {
    fprintf(out, "%*s#%-2zu ", indent, "", i);
    put_column(out, lines[i].function, function_width);
    if (location_width || *lines[i].location)
      put_column(out, lines[i].location, location_width);
    fprintf(out, "%s\n", lines[i].module);
    free(lines[i].function);
    free(lines[i].location);
    free(lines[i].module);
    if (python && lines[i].evaluates)
      shown = python_print_group(out, python, shown, indent + PYTHON_INDENT);
  }
  if (!used)
    fprintf(out, "%*s(no stack)\n", indent, "");
  free(lines);
  if (python && shown < json_array_size(python)) {
    fprintf(out, "%*sfurther out, of the part of the stack that is not known:\n", indent, "");
    python_print(out, python, shown, indent + PYTHON_INDENT);
  }
}

void
stack_print(FILE *out, const json_t *stack, int indent)
{
  print(out, stack, NULL, indent);
}

void
stack_print_thread(FILE *out, const json_t *thread, const char *key, int indent)
{
  const json_t *stack = get_array(thread, key), *python = get_array(thread, "python");
  const char *exact = get_string(thread, "exact");
  bool cut = json_is_true(json_object_get(thread, "python_cut"));
  if (!json_array_size(python)) {
    print(out, stack, NULL, indent);
    return;
  }
  if (!stack) {
    python_print(out, python, 0, indent);
  } else if (python_matches(stack, python, cut, exact && !strcmp(exact, "approximate"))) {
    print(out, stack, python, indent);
  } else {
    print(out, stack, NULL, indent);
    fprintf(out, "%*sPython, not matched with the frames above:\n", indent, "");
    python_print(out, python, 0, indent + PYTHON_INDENT);
  }
  if (cut)
    fprintf(out, "%*s...\n", indent + PYTHON_INDENT, "");
}

// The innermost frame of the program's own code; failing that, one not ours; or NULL.
static const json_t *
place_frame(const json_t *stack)
{
  size_t i;
  json_t *frame, *first = NULL;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (!first && !is_ours(frame))
      first = frame;
    if (!stack_is_library(frame))
      return frame;
  }
  return first;
}

char *
stack_place(const json_t *stack)
{
  const json_t *frame = place_frame(stack);
  if (!frame)
    return xstrdup("an unknown place");
  const char *function = get_string(frame, "function");
  char *where = location(frame);
  if (!*where) {
    free(where);
    where = in_module(frame);
  }
  if (!function)
    return where;
  char *place = xasprintf("%s in %s", where, function);
  free(where);
  return place;
}

static bool
is_interpreter(const json_t *frame)
{
  const char *name = base_name(get_string(frame, "module"));
  return !strncmp(name, "libpython", 9) || !strncmp(name, "python", 6);
}

bool
stack_is_interpreter(const json_t *stack)
{
  size_t i, interpreters = 0;
  json_t *frame;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (is_interpreter(frame))
      interpreters++;
    else if (!is_c_library(frame) && !is_ours(frame))
      return false;
  }
  return interpreters > 0;
}

char *
stack_place_of_thread(const json_t *thread)
{
  const json_t *stack = get_array(thread, "stack");
  char *python = python_place(get_array(thread, "python"));
  if (!python)
    return stack_place(stack);
  const json_t *frame = place_frame(stack);
  if (!frame || is_interpreter(frame) || is_c_library(frame))
    return python;
  char *native = stack_place(stack), *both = xasprintf("%s, called from %s", native, python);
  free(native);
  free(python);
  return both;
}
