#include "loader_name.h"

#include <stdbool.h>
#include <string.h>

static bool
begins(const char *name, const char *with)
{
  return strncmp(name, with, strlen(with)) == 0;
}

enum loader
loader_name(const char *path)
{
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

  if (begins(name, "ld-linux") || begins(name, "ld.so") || begins(name, "ld-2"))
    return LOADER_GLIBC;
  return begins(name, "ld-musl") ? LOADER_MUSL : LOADER_NONE;
}
