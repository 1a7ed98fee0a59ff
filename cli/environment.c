#include "environment.h"
#include "rundir.h"
#include "text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
own_directory(void)
{
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0)
    die("/proc/self/exe: %m");
  path[n] = 0;
  char *slash = strrchr(path, '/');
  if (slash)
    *slash = 0;
  return xstrdup(path);
}

/* In the build directory or where it was installed; NULL: in none of these `places`. */
static char *
find(const char *name, const char *const *places)
{
  char *directory = own_directory(), *absolute = NULL;
  for (; *places && !absolute; places++) {
    char *candidate = xasprintf("%s/%s/%s", directory, *places, name);
    absolute = realpath(candidate, NULL);
    free(candidate);
  }
  free(directory);
  return absolute;
}

char *
find_library(void)
{
  const char *given = getenv("FORKHOUND_LIBRARY");
  if (given && *given) {
    char *absolute = realpath(given, NULL);
    if (!absolute)
      die("cannot find libforkhound.so: FORKHOUND_LIBRARY=%s: %m", given);
    return absolute;
  }
  static const char *const places[] = {"../preload", "../lib/x86_64-linux-gnu", "../lib64",
                                       "../lib", NULL};
  char *library = find("libforkhound.so", places);
  if (!library)
    die("cannot find libforkhound.so: it is not in ../preload, ../lib/x86_64-linux-gnu, ../lib64 "
        "or ../lib of %s: "
        "set FORKHOUND_LIBRARY to its path",
        own_directory());
  return library;
}

/* The directory of the sitecustomize that each Python is to find first. */
static char *
find_python(void)
{
  static const char *const places[] = {"../share/forkhound/python", "../python", NULL};
  char *file = find("sitecustomize.py", places);
  if (!file)
    die("--redirect-python: cannot find sitecustomize.py: it is not in "
        "../share/forkhound/python or ../python of %s",
        own_directory());
  *strrchr(file, '/') = 0;
  return file;
}

/* `first` before what the variable `name`, a list, has. */
static char *
prepend(const char *name, const char *first)
{
  const char *old = getenv(name);
  return old && *old ? xasprintf("%s=%s:%s", name, first, old) : xasprintf("%s=%s", name, first);
}

/* Whether `ours`, NAME=VALUE, takes the place of `variable`. */
static bool
replaces(const char *ours, const char *variable)
{
  size_t length = strcspn(ours, "=") + 1;
  return !strncmp(ours, variable, length);
}

char **
command_environment(const char *library, const char *start_method)
{
  extern char **environ;
  char *ours[4];
  size_t ours_count = 0, count = 0, used = 0;
  ours[ours_count++] = xasprintf("FORKHOUND_EVENTS=%s", rundir_events());
  if (library)
    ours[ours_count++] = prepend("LD_PRELOAD", library);
  if (start_method) {
    char *found = find_python(), *directory = rundir_python(found);
    ours[ours_count++] = prepend("PYTHONPATH", directory);
    ours[ours_count++] = xasprintf("FORKHOUND_REDIRECT_PYTHON=%s:%s", start_method, directory);
    free(directory);
    free(found);
  }
  while (environ[count])
    count++;
  char **result = xrealloc(NULL, (count + ours_count + 1) * sizeof *result);
  for (size_t i = 0; i < count; i++) {
    bool replaced = false;
    for (size_t j = 0; j < ours_count; j++)
      replaced |= replaces(ours[j], environ[i]);
    if (!replaced)
      result[used++] = xstrdup(environ[i]);
  }
  memcpy(result + used, ours, ours_count * sizeof *ours);
  result[used + ours_count] = NULL;
  return result;
}
