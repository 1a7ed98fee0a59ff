#include "command_environment.h"
#include "base/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

char *
environment_prepend(const char *name, const char *first)
{
  const char *old = getenv(name);
  return old && *old ? xasprintf("%s=%s:%s", name, first, old) : xasprintf("%s=%s", name, first);
}

char *
environment_append(const char *name, const char *last)
{
  const char *old = getenv(name);
  return old && *old ? xasprintf("%s=%s:%s", name, old, last) : xasprintf("%s=%s", name, last);
}

static bool
same_name(const char *a, const char *b)
{
  return !strncmp(a, b, strcspn(a, "=") + 1);
}

char **
command_environment(char *const variables[], size_t count)
{
  size_t all = 0, used = 0;
  while (environ[all])
    all++;
  char **result = xrealloc(NULL, (all + count + 1) * sizeof *result);
  for (size_t i = 0; i < all; i++) {
    bool replaced = false;
    for (size_t j = 0; j < count; j++)
      replaced |= same_name(variables[j], environ[i]);
    if (!replaced)
      result[used++] = xstrdup(environ[i]);
  }
  for (size_t j = 0; j < count; j++)
    result[used++] = variables[j];
  result[used] = NULL;
  return result;
}
