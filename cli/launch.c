#include "launch.h"
#include "command_environment.h"
#include "installed.h"
#include "rundir.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

char **
launch_environment(const char *library, const char *start_method)
{
  char *variables[4];
  size_t count = 0;
  variables[count++] = xasprintf("FORKHOUND_EVENTS=%s", rundir_events());
  if (library)
    variables[count++] = environment_prepend("LD_PRELOAD", library);
  if (start_method) {
    char *found = installed_python(), *directory = rundir_python(found);
    variables[count++] = environment_prepend("PYTHONPATH", directory);
    variables[count++] = xasprintf("FORKHOUND_REDIRECT_PYTHON=%s:%s", start_method, directory);
    free(directory);
    free(found);
  }
  return command_environment(variables, count);
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
