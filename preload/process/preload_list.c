#include "preload_list.h"

#include "preload_entry.h"
#include "libc/real_calls.h"
#include "process.h"

#include <string.h>

// Longer lists are left as they are, or left out: the copy is on a stack.
enum { MOST_LENGTH = 16384 };

static bool
is_preload(const char *variable)
{
  return strncmp(variable, process.preload_name, strlen(process.preload_name)) == 0;
}

char *const *
preload_list_find(char *const environment[])
{
  char *const *found = NULL;

  for (; environment && *environment; environment++) {
    if (is_preload(*environment))
      found = environment;
  }
  return found;
}

// "": not set.
static const char *
value(char *const environment[])
{
  char *const *variable = preload_list_find(environment);

  return variable ? *variable + strlen(process.preload_name) : "";
}

bool
preload_list_lost(char *const environment[])
{
  size_t unused;
  const char *list = value(environment);

  return process.library[0] && strlen(list) < MOST_LENGTH &&
         !preload_list_entry(list, process.library, &unused);
}

size_t
preload_list_size(char *const environment[])
{
  size_t length = strlen(value(environment));

  return strlen(process.preload_name) + (length < MOST_LENGTH ? length : 0) + 1 +
         strlen(process.library) + 1;
}

static char *
add(char *end, const char *bytes, size_t length)
{
  memcpy(end, bytes, length);
  end[length] = 0;
  return end + length;
}

static char *
add_string(char *end, const char *string)
{
  return add(end, string, strlen(string));
}

char *
preload_list_restore(char *const environment[], char *text)
{
  const char *old = value(environment);
  char *end = add_string(add_string(text, process.preload_name), old);

  add_string(*old ? add_string(end, ":") : end, process.library);
  return text;
}

char *
preload_list_strip(char *const environment[], char *text)
{
  size_t length;
  const char *list = value(environment);
  const char *ours = preload_list_entry(list, process.library, &length);
  const char *after = ours ? ours + length : "";

  if (strlen(list) >= MOST_LENGTH)
    return NULL;
  char *rest = add_string(text, process.preload_name);

  add_string(add(rest, list, ours ? (size_t)(ours - list) : strlen(list)), after);
  return rest[strspn(rest, FH_PRELOAD_SEPARATORS)] ? text : NULL;
}
