#include "pythonpath.h"

#include "process.h"

#include <string.h>

static const char NAME[] = "PYTHONPATH=";

// NULL without --redirect-python. The value is METHOD:DIRECTORY.
static const char *
directory(void)
{
  const char *colon = strchr(process.redirect_python.value, ':');

  return colon ? colon + 1 : NULL;
}

bool
python_path_is(const char *variable)
{
  return strncmp(variable, NAME, sizeof NAME - 1) == 0;
}

// "": not set.
static const char *
value(char *const environment[])
{
  for (; environment && *environment; environment++) {
    if (python_path_is(*environment))
      return *environment + sizeof NAME - 1;
  }
  return "";
}

bool
python_path_lost(char *const environment[])
{
  const char *wanted = directory();
  size_t length = wanted ? strlen(wanted) : 0;

  for (const char *entry = value(environment); wanted;) {
    size_t n = strcspn(entry, ":");
    if (n == length && memcmp(entry, wanted, n) == 0)
      return false;
    if (!entry[n])
      return true;
    entry += n + 1;
  }
  return false;
}

size_t
python_path_size(char *const environment[])
{
  return python_path_lost(environment)
             ? sizeof NAME + strlen(directory()) + 1 + strlen(value(environment))
             : 0;
}

char *
python_path_restore(char *const environment[], char *text)
{
  const char *old = value(environment);

  char *end = stpcpy(stpcpy(text, NAME), directory());
  // An empty entry would be the working directory.
  if (*old)
    stpcpy(stpcpy(end, ":"), old);
  return text;
}
