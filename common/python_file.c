#include "python_file.h"

#include <string.h>

const char *
python_library_file(const char *file)
{
  static const char part[] = "/lib/python3.";

  if (strncmp(file, "<frozen ", 8) == 0)
    return file;
  const char *at = strstr(file, part);
  if (!at || strstr(at, "-packages/"))  // site-packages, or dist-packages on Debian
    return NULL;
  at += sizeof part - 1;
  while (*at >= '0' && *at <= '9')
    at++;
  return *at == '/' ? at + 1 : NULL;
}
