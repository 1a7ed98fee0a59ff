#include "process.h"

#include <mach-o/dyld.h>
#include <unistd.h>

void
process_path(char *path, size_t size)
{
  uint32_t room = (uint32_t)size;

  if (_NSGetExecutablePath(path, &room) != 0)
    path[0] = 0;
}

// dyld passes argc, argv, envp and apple to initializers.
__attribute__((constructor)) static void
start(int argc, char **argv, char **envp)
{
  (void)argc;
  (void)argv;
  process.secure = issetugid() != 0;
  if (!process.secure)
    process_start(envp, "DYLD_INSERT_LIBRARIES=");
}
