#include "source_owner.h"

#include <string.h>

enum python_owner
python_file_owner(const char *file, const char **shorter)
{
  static const char library[] = "/lib/python3", packages[] = "-packages/";

  *shorter = file;
  if (strncmp(file, "<frozen ", 8) == 0)
    return PYTHON_LIBRARY;
  const char *at = strstr(file, library);
  if (!at)
    return PYTHON_OWN;
  const char *package = strstr(at, packages);  // site-packages, or dist-packages on Debian
  if (package) {
    *shorter = package + sizeof packages - 1;
    return PYTHON_PACKAGE;
  }
  at += sizeof library - 1;
  if (*at++ != '.')
    return PYTHON_OWN;
  while (*at >= '0' && *at <= '9')
    at++;
  at += *at == 't';  // free-threaded
  if (*at != '/')
    return PYTHON_OWN;
  *shorter = at + 1;
  return PYTHON_LIBRARY;
}
