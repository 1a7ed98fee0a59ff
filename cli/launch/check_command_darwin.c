#include "check_command.h"
#include "find_command.h"
#include "process/system_darwin.h"
#include "base/message.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t
read_at(void *context, uint64_t offset, void *to, size_t length)
{
  ssize_t n = pread(*(int *)context, to, length, (off_t)offset);
  return n > 0 ? (size_t)n : 0;
}

static char *
resolved(char *path)
{
  char *absolute = path ? realpath(path, NULL) : NULL;
  if (!absolute)
    return path;
  free(path);
  return absolute;
}

struct check
check_command(const char *command, const char *library)
{
  (void)library;  // it has a slice for each machine
  struct check check = {.path = resolved(find_command(command))};
  for (int depth = 0; check.path; depth++) {
    char interpreter[PATH_MAX];
    int fd = open(check.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const struct protection_file file = {read_at, &fd};
    enum protection protection = protection_of_path(check.path);
    bool script = fd >= 0 && depth <= 4 && protection == PROTECTION_NONE &&
                  protection_interpreter(&file, interpreter, sizeof interpreter);
    if (fd >= 0 && !script && protection == PROTECTION_NONE)
      protection = protection_of_file(&file, system_cpu());
    if (fd >= 0)
      close(fd);
    check.why = protection_why(protection);
    check.preload_harms = protection == PROTECTION_ARM64E;
    if (!script)
      break;
    free(check.path);
    check.path = resolved(xstrdup(interpreter));
  }
  return check;
}
