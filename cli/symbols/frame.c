#include "frame.h"
#include "base/json_fields.h"
#include "base/message.h"
#include "base/paths.h"
#include "function_name.h"
#include "python_frame.h"

#include <stdlib.h>
#include <string.h>

bool
frame_is_ours(const json_t *frame)
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
frame_is_library(const json_t *frame)
{
  const char *function = get_string(frame, "function");
  return is_c_library(frame) || frame_is_ours(frame) || function_is_standard(function) ||
         is_wait(function);
}

char *
frame_location(const json_t *frame)
{
  const char *file = get_string(frame, "file");
  return file ? xasprintf("%s:%lld", path_relative(file), get_integer(frame, "line")) : xstrdup("");
}

char *
frame_in_module(const json_t *frame)
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

// The innermost frame of the program's own code; failing that, one not ours; or NULL.
static const json_t *
place_frame(const json_t *stack)
{
  size_t i;
  json_t *frame, *first = NULL;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (!first && !frame_is_ours(frame))
      first = frame;
    if (!frame_is_library(frame))
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
  char *where = frame_location(frame);
  if (!*where) {
    free(where);
    where = frame_in_module(frame);
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
    else if (!is_c_library(frame) && !frame_is_ours(frame))
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
