#include "process/process.h"

#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <unistd.h>

uint64_t
now_ns(clockid_t clock)
{
  struct timespec t;

  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
process_path(char *path, size_t size)
{
  uint32_t room = (uint32_t)size;

  if (_NSGetExecutablePath(path, &room) != 0)
    path[0] = 0;
}

static const char *
own_path(void)
{
  Dl_info info;

  return dladdr((const void *)(uintptr_t)process_path, &info) && info.dli_fname ? info.dli_fname
                                                                                : "";
}

// dyld passes argc, argv, envp and apple to initializers.
__attribute__((constructor)) static void
start(int argc, char **argv, char **envp)
{
  (void)argc;
  (void)argv;
  process.secure = issetugid() != 0;
  if (!process.secure)
    process_start(envp, "DYLD_INSERT_LIBRARIES=", own_path());
}
