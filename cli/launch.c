#include "launch.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
own_directory(void)
{
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0)
    die("/proc/self/exe: %m");
  path[n] = 0;
  char *slash = strrchr(path, '/');
  if (slash)
    *slash = 0;
  return xstrdup(path);
}

char *
launch_find_library(void)
{
  const char *given = getenv("FORKHOUND_LIBRARY");
  if (given && *given) {
    char *absolute = realpath(given, NULL);
    if (!absolute)
      die("cannot find libforkhound.so: FORKHOUND_LIBRARY=%s: %m", given);
    return absolute;
  }
  static const char *const places[] = {"../preload", "../lib/x86_64-linux-gnu", "../lib64",
                                       "../lib"};
  char *directory = own_directory();
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    char *candidate = xasprintf("%s/%s/libforkhound.so", directory, places[i]);
    char *absolute = realpath(candidate, NULL);
    free(candidate);
    if (absolute) {
      free(directory);
      return absolute;
    }
  }
  die("cannot find libforkhound.so: it is not in ../preload, ../lib/x86_64-linux-gnu, ../lib64 or "
      "../lib of %s: "
      "set FORKHOUND_LIBRARY to its path",
      directory);
}

/* In the child: never returns. */
static _Noreturn void
become_command(const struct job *job, char **command, char **environment, int error_pipe)
{
  job_give_back_signals(job);
  execvpe(command[0], command, environment);
  int error = errno;
  if (write(error_pipe, &error, sizeof error) < 0)
    _exit(126);
  _exit(127);
}

int
launch(struct job *job, char **command, char **environment)
{
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC))
    die("pipe: %m");
  job->command = fork();
  if (job->command < 0)
    die("fork: %m");
  if (!job->command)
    become_command(job, command, environment, error_pipe[1]);
  close(error_pipe[1]);
  int error = 0;
  ssize_t n;
  do
    n = read(error_pipe[0], &error, sizeof error);
  while (n < 0 && errno == EINTR);
  close(error_pipe[0]);
  return n == (ssize_t)sizeof error ? error : 0;
}
