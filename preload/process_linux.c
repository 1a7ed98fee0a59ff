#include "process.h"

#include <sys/auxv.h>
#include <unistd.h>

void
process_path(char *path, size_t size)
{
  ssize_t n = readlink("/proc/self/exe", path, size - 1);

  path[n > 0 ? n : 0] = 0;
}

// glibc passes argc, argv and envp to constructors. getenv() does not work yet in an initfirst one.
__attribute__((constructor)) static void
start(int argc, char **argv, char **envp)
{
  (void)argc;
  (void)argv;
  process.secure = getauxval(AT_SECURE) != 0;
  if (!process.secure)
    process_start(envp, "LD_PRELOAD=");
}
