#include "find_command.h"
#include "base/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
executable_file(const char *path)
{
  struct stat st;
  return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

char *
find_command(const char *command)
{
  if (strchr(command, '/'))
    return executable_file(command) ? xstrdup(command) : NULL;
  const char *path = getenv("PATH");
  if (!path)
    path = "/bin:/usr/bin";
  while (*command) {
    size_t length = strcspn(path, ":");
    char *file =
        length ? xasprintf("%.*s/%s", (int)length, path, command) : xasprintf("./%s", command);
    if (executable_file(file))
      return file;
    free(file);
    if (!path[length])
      break;
    path += length + 1;
  }
  return NULL;
}
