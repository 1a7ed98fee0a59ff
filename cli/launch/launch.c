#include "launch.h"
#include "command_environment.h"
#include "installed_paths.h"
#include "run_directory.h"
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Programs change their folder.
static char *
absolute_path(const char *path)
{
  char folder[PATH_MAX];
  if (*path == '/' || !getcwd(folder, sizeof folder))
    return xstrdup(path);
  return xasprintf("%s/%s", folder, path);
}

// FORKHOUND_OPTIONS with what the command line says for the library, or NULL: as it is.
static char *
library_options(const struct options *options)
{
  const char *old = getenv("FORKHOUND_OPTIONS");
  if (!options->redirect_given && !options->sites_given)
    return NULL;
  char *sites = absolute_path(options->sites);
  if (strchr(sites, ':'))
    die("run: --sites: expected a path without ':', got '%s'", sites);
  char *text = xasprintf("FORKHOUND_OPTIONS=%s%sredirect=%s%s%s", old ? old : "",
                         old && *old ? ":" : "", redirect_word(options->redirect),
                         *options->sites ? ":sites=" : "", *options->sites ? sites : "");
  free(sites);
  return text;
}

char **
launch_environment(const struct options *options, const char *library)
{
  char *variables[5], *for_library = library_options(options);
  size_t count = 0;
  variables[count++] = xasprintf("FORKHOUND_EVENTS=%s", rundir_events());
  if (library)  // last: see preload_list.h
    variables[count++] = environment_append("LD_PRELOAD", library);
  if (for_library)
    variables[count++] = for_library;
  if (options->redirect_python) {
    char *found = installed_python(), *directory = rundir_nameable(found, ":", "PYTHONPATH");
    variables[count++] = environment_prepend("PYTHONPATH", directory);
    variables[count++] =
        xasprintf("FORKHOUND_REDIRECT_PYTHON=%s:%s", options->redirect_python, directory);
    free(directory);
    free(found);
  }
  return command_environment(variables, count);
}

// In the child: never returns.
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
