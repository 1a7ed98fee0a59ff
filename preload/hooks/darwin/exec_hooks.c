// What Darwin has of its own in exec and exit.
#include "hooks/exec_hooks.h"

#include "report/event_json.h"
#include "libc/real_calls.h"
#include "process/process.h"
#include "fork/fork_emit.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

FH_EXPORT int FH_WRAPPER(execve)(const char *path, char *const arguments[],
                                 char *const environment[]);

// There is no execvpe(). What is no program for the kernel, execvp() gives to the shell.
int
exec_search(const char *file, char *const arguments[], char *const environment[])
{
  char path[PATH_MAX];

  if (!exec_find(file, path, sizeof path))
    return exec_after(file, fh_real.execvp(file, arguments));
  int result = FH_WRAPPER(execve)(path, arguments, environment);
  return errno == ENOEXEC ? exec_after(file, fh_real.execvp(file, arguments)) : result;
}

bool
exec_by_spawn(const posix_spawnattr_t *attributes)
{
  short flags = 0;

  return attributes && posix_spawnattr_getflags(attributes, &flags) == 0 &&
         (flags & POSIX_SPAWN_SETEXEC);
}

// That exit() was called with. A return from main() reaches no wrapper.
static int exit_status = EVENT_STATUS_UNKNOWN;

FH_EXPORT void
FH_WRAPPER(exit)(int status)
{
  exit_status = status;
  fh_real.exit(status);
  __builtin_unreachable();
}

static void
at_exit(void)
{
  exec_before_exit(exit_status);
}

// A status that is not known may be 0, and is replaced too.
__attribute__((destructor)) static void
finish(void)
{
  bool failed = exit_status != 0 && exit_status != EVENT_STATUS_UNKNOWN;
  int exitcode = !failed && tell_any() ? process_options()->exitcode : 0;

  if (exitcode) {
    fflush(NULL);
    fh_real._exit(exitcode);
  }
}

void
exec_start(void)
{
  atexit(at_exit);
}
