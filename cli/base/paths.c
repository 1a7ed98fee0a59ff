#include "paths.h"
#include "message.h"

#include <string.h>
#include <unistd.h>

const char *
path_relative(const char *file)
{
  static char *here;
  if (!here) {
    here = getcwd(NULL, 0);
    here = here ? here : xstrdup("");
  }
  size_t length = strlen(here);
  if (length > 1 && !strncmp(file, here, length) && file[length] == '/')
    file += length + 1;
  return file;
}
