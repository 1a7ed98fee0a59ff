// What only glibc has of exec and exit.
#include "hooks/exec_hooks.h"

#include "libc/real_calls.h"
#include "os/memory.h"
#include "process/process.h"
#include "fork/fork_emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

FH_EXPORT int
execvpe(const char *file, char *const arguments[], char *const environment[])
{
  char path[1024];
  int saved = errno;

  fh_real_resolve();
  enum target target = exec_find(file, path, sizeof path) ? exec_before(path) : TARGET_LOADS;
  errno = saved;
  return exec_after(file, fh_real.execvpe(file, arguments, EXEC_ADAPTED(environment, target)));
}

// Of a descriptor and a path from there; `path` NULL: the descriptor itself.
static enum target
before_descriptor(int fd, const char *path)
{
  char name[TARGET_PATH];
  int n = path ? snprintf(name, sizeof name, "/proc/self/fd/%d/%s", fd, path)
               : snprintf(name, sizeof name, "/proc/self/fd/%d", fd);

  return exec_before_file(NULL, n > 0 && (size_t)n < sizeof name ? name : NULL);
}

FH_EXPORT int
fexecve(int fd, char *const arguments[], char *const environment[])
{
  enum target target = before_descriptor(fd, NULL);
  return exec_after(NULL, fh_real.fexecve(fd, arguments, EXEC_ADAPTED(environment, target)));
}

// The path is read as the kernel does: a bad address is its to refuse.
FH_EXPORT int
execveat(int fd, const char *path, char *const arguments[], char *const environment[], int flags)
{
  char first = 0;
  bool readable = memory_copy(&first, sizeof first, (uint64_t)(uintptr_t)path) == sizeof first;
  enum target target = !readable ? exec_before(NULL)
                       : first == '/' || (first && fd == AT_FDCWD)
                           ? exec_before_file(NULL, path)
                           : before_descriptor(fd, first ? path : NULL);
  return exec_after(
      NULL, fh_real.execveat(fd, path, arguments, EXEC_ADAPTED(environment, target), flags));
}

bool
exec_by_spawn(const posix_spawnattr_t *attributes)
{
  (void)attributes;  // no flag of glibc's says so
  return false;
}

int
exec_search(const char *file, char *const arguments[], char *const environment[])
{
  return execvpe(file, arguments, environment);
}

static int exit_status = -1;  // that exit() was called with

static void
on_exit_handler(int status, void *unused)
{
  (void)unused;
  exec_before_exit(status);
  exit_status = status;
}

// An initfirst library is finished last; only what the program has buffered is written later.
__attribute__((destructor)) static void
finish(void)
{
  int exitcode = exit_status == 0 && tell_any() ? process_options()->exitcode : 0;

  if (exitcode) {
    fflush(NULL);
    fh_real._exit(exitcode);
  }
}

void
exec_start(void)
{
  on_exit(on_exit_handler, NULL);
}
