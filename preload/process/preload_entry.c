#include "preload_entry.h"

#include "libc/real_calls.h"

#include <stdbool.h>
#include <string.h>

static const char *
file_name(const char *entry, size_t *length)
{
  for (size_t i = *length; i > 0; i--) {
    if (entry[i - 1] == '/') {
      *length -= i;
      return entry + i;
    }
  }
  return entry;
}

// By file name: one library may have several paths.
static bool
same_file(const char *a, size_t a_length, const char *b, size_t b_length)
{
  a = file_name(a, &a_length);
  b = file_name(b, &b_length);
  return a_length == b_length && memcmp(a, b, a_length) == 0;
}

const char *
preload_list_entry(const char *value, const char *path, size_t *length)
{
  size_t path_length = strlen(path);

  for (const char *entry = value; path_length > 0; entry += *length + 1) {
    *length = strcspn(entry, FH_PRELOAD_SEPARATORS);
    if (same_file(entry, *length, path, path_length))
      return entry;
    if (!entry[*length])
      break;
  }
  return NULL;
}
