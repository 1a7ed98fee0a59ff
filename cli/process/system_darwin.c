#include "system_darwin.h"
#include "base/message.h"

#include <limits.h>
#include <mach-o/dyld.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sysctl.h>

char *
system_own_path(void)
{
  char path[PATH_MAX];
  uint32_t size = sizeof path;
  if (_NSGetExecutablePath(path, &size))
    die("the path of this program is too long");
  char *absolute = realpath(path, NULL);
  if (!absolute)
    die("%s: %m", path);
  return absolute;
}

// Of the machine, whatever this process is translated to.
enum protection_cpu
system_cpu(void)
{
  int arm64 = 0;
  size_t size = sizeof arm64;
  if (!sysctlbyname("hw.optional.arm64", &arm64, &size, NULL, 0) && arm64)
    return PROTECTION_ARM64;
  return PROTECTION_X86_64;
}

const char *
system_sampler(void)
{
  return "/usr/bin/sample";
}
