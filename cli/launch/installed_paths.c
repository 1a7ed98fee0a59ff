#include "installed_paths.h"
#include "base/message.h"

#include <limits.h>
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

// In the build directory or where it was installed; NULL: in none of these `places`.
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
installed_library(void)
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

char *
installed_python(void)
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
