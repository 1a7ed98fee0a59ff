#include "process/process.h"

#include "os/seccomp.h"
#include "raw_syscall.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

// Past a wrapper of another library, as libfaketime's: the command goes by the system's time.
uint64_t
now_ns(clockid_t clock)
{
  struct timespec t = {0, 0};

  if (!guard_allows(SYS_clock_gettime) || RAW(SYS_clock_gettime, clock, &t) != 0)
    clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
process_path(char *path, size_t size)
{
  ssize_t n = readlink("/proc/self/exe", path, size - 1);

  path[n > 0 ? n : 0] = 0;
}

static const char *
own_path(void)
{
  struct dl_find_object found;

  return _dl_find_object(&process, &found) == 0 ? found.dlfo_link_map->l_name : "";
}

// glibc passes argc, argv and envp to constructors. getenv() does not work yet in an initfirst one.
__attribute__((constructor)) static void
start(int argc, char **argv, char **envp)
{
  (void)argc;
  (void)argv;
  process.secure = getauxval(AT_SECURE) != 0;
  if (!process.secure)
    process_start(envp, "LD_PRELOAD=", own_path());
}
