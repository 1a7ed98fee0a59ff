// What only glibc has of exec and exit.
#include "exec.h"

#include "interpose.h"
#include "process.h"
#include "tell.h"

#include <errno.h>
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

FH_EXPORT int
fexecve(int fd, char *const arguments[], char *const environment[])
{
  exec_before(NULL);
  return exec_after(NULL, fh_real.fexecve(fd, arguments, EXEC_ADAPTED(environment, TARGET_LOADS)));
}

FH_EXPORT int
execveat(int fd, const char *path, char *const arguments[], char *const environment[], int flags)
{
  exec_before(NULL);
  return exec_after(
      NULL, fh_real.execveat(fd, path, arguments, EXEC_ADAPTED(environment, TARGET_LOADS), flags));
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
