#include "process/exec_target.h"

#include "os/descriptor.h"
#include "common/binary/macho_protection.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

static size_t
read_at(void *context, uint64_t offset, void *to, size_t length)
{
  ssize_t n = pread(*(int *)context, to, length, (off_t)offset);

  return n > 0 ? (size_t)n : 0;
}

// Of the machine, whatever this process is translated to.
static enum protection_cpu
machine(void)
{
  int arm64 = 0;
  size_t size = sizeof arm64;

  if (sysctlbyname("hw.optional.arm64", &arm64, &size, NULL, 0) == 0 && arm64)
    return PROTECTION_ARM64;
  return PROTECTION_X86_64;
}

// The interpreter of a script, else "".
static enum protection
look(const char *path, char *interpreter, size_t size)
{
  enum protection protection = protection_of_path(path);
  int fd = (int)descriptor_open(path, O_RDONLY | O_NONBLOCK);
  const struct protection_file file = {read_at, &fd};

  interpreter[0] = 0;
  if (fd < 0)
    return protection;
  if (protection == PROTECTION_NONE && !protection_interpreter(&file, interpreter, size)) {
    interpreter[0] = 0;
    protection = protection_of_file(&file, machine());
  }
  descriptor_close(fd);
  return protection;
}

static enum target
look_at_rights(const char *path)
{
  struct stat st;

  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
    return TARGET_LOADS;
  if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
    return TARGET_SETUID;
  if ((st.st_mode & S_ISGID) != 0 && st.st_gid != getgid())
    return TARGET_SETGID;
  return TARGET_LOADS;
}

enum target
target_of(const char *path, char *program)
{
  char interpreter[PATH_MAX], unused[2];
  int saved = errno;

  snprintf(program, TARGET_PATH, "%s", path);
  enum target target = look_at_rights(path);
  enum protection protection = look(path, interpreter, sizeof interpreter);
  if (protection == PROTECTION_NONE && interpreter[0])
    protection = look(interpreter, unused, sizeof unused);
  switch (protection) {
  case PROTECTION_SYSTEM: target = TARGET_SYSTEM; break;
  case PROTECTION_HARDENED: target = TARGET_HARDENED; break;
  case PROTECTION_RESTRICTED: target = TARGET_RESTRICTED; break;
  case PROTECTION_ARM64E: target = TARGET_ARM64E; break;
  case PROTECTION_FOREIGN: target = TARGET_FOREIGN; break;
  case PROTECTION_NONE: break;
  }
  errno = saved;
  return target;
}

const char *
target_why(enum target target)
{
  switch (target) {
  case TARGET_SETUID: return "set-user-ID";
  case TARGET_SETGID: return "set-group-ID";
  case TARGET_FOREIGN: return protection_why(PROTECTION_FOREIGN);
  case TARGET_SYSTEM: return protection_why(PROTECTION_SYSTEM);
  case TARGET_HARDENED: return protection_why(PROTECTION_HARDENED);
  case TARGET_RESTRICTED: return protection_why(PROTECTION_RESTRICTED);
  case TARGET_ARM64E: return protection_why(PROTECTION_ARM64E);
  case TARGET_LOADS:
  case TARGET_STATIC:
  case TARGET_UNREADABLE:
  case TARGET_CAPABLE:
  case TARGET_MUSL: break;
  }
  return NULL;
}

bool
target_refuses(enum target target)
{
  return target == TARGET_ARM64E;
}

bool
target_may_refuse(void)
{
  return true;
}
