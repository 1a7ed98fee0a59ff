#include "command_environment.h"
#include "text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static bool
is_variable(const char *entry, const char *name)
{
  size_t length = strlen(name);
  return !strncmp(entry, name, length) && entry[length] == '=';
}

char **
command_environment(const char *preload, const char *library, const char *events)
{
  size_t count = 0, used = 0;
  while (environ[count])
    count++;
  char **result = xrealloc(NULL, (count + 3) * sizeof *result);
  const char *old = getenv(preload);
  for (size_t i = 0; i < count; i++) {
    bool replaced = is_variable(environ[i], "FORKHOUND_EVENTS") ||
                    (library && is_variable(environ[i], preload));
    if (!replaced)
      result[used++] = xstrdup(environ[i]);
  }
  if (library)
    result[used++] = old && *old ? xasprintf("%s=%s:%s", preload, library, old)
                                 : xasprintf("%s=%s", preload, library);
  result[used++] = xasprintf("FORKHOUND_EVENTS=%s", events);
  result[used] = NULL;
  return result;
}
