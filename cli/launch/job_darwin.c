#include "job_darwin.h"
#include "find_command.h"
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int FORWARDED[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
static volatile sig_atomic_t pending[NSIG];  // to be forwarded
static int wake[2];                          // a byte for each signal

// What the terminal sends, the kernel does, and to the whole foreground process group: the command
// has it already.
static void
on_signal(int number, siginfo_t *info, void *unused)
{
  int saved = errno;
  (void)unused;
  if (number != SIGCHLD && info->si_pid > 0)
    pending[number] = 1;
  if (write(wake[1], "", 1) < 0) {
    // full: whoever reads it wakes anyway
  }
  errno = saved;
}

void
job_take_signals(struct job *job)
{
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction old;
  if (pipe(wake))
    die("pipe: %m");
  job->wake = wake[0];
  for (int i = 0; i < 2; i++) {
    fcntl(wake[i], F_SETFD, FD_CLOEXEC);
    fcntl(wake[i], F_SETFL, O_NONBLOCK);
  }
  sigaction(SIGCHLD, &action, NULL);
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++) {
    sigaction(FORWARDED[i], NULL, &old);
    if (old.sa_handler != SIG_IGN)
      sigaction(FORWARDED[i], &action, NULL);
  }
}

// In the child: never returns. Handlers go with the exec.
static _Noreturn void
become_command(char **arguments, const char *path, char **environment, int error_pipe)
{
  if (path)
    execve(path, arguments, environment);
  else
    errno = ENOENT;
  int error = errno;
  if (error == ENOEXEC) {  // a script without a first line, as execvp() takes it
    extern char **environ;
    environ = environment;
    execvp(arguments[0], arguments);
  }
  if (write(error_pipe, &error, sizeof error) < 0)
    _exit(126);
  _exit(127);
}

int
job_start(struct job *job, char **command, char **environment)
{
  int error_pipe[2], error = 0;
  char *path = find_command(command[0]);
  if (!path && !access(command[0], F_OK) && strchr(command[0], '/'))
    path = xstrdup(command[0]);  // exec says why not
  if (pipe(error_pipe))
    die("pipe: %m");
  fcntl(error_pipe[0], F_SETFD, FD_CLOEXEC);
  fcntl(error_pipe[1], F_SETFD, FD_CLOEXEC);
  job->command = fork();
  if (job->command < 0)
    die("fork: %m");
  if (!job->command)
    become_command(command, path, environment, error_pipe[1]);
  free(path);
  close(error_pipe[1]);
  ssize_t n;
  do
    n = read(error_pipe[0], &error, sizeof error);
  while (n < 0 && errno == EINTR);
  close(error_pipe[0]);
  return n == (ssize_t)sizeof error ? error : 0;
}

void
job_forward_signals(struct job *job)
{
  char bytes[64];
  while (read(wake[0], bytes, sizeof bytes) > 0)
    continue;
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++) {
    if (!pending[FORWARDED[i]])
      continue;
    pending[FORWARDED[i]] = 0;
    if (!job->ended)
      kill(job->command, FORWARDED[i]);
    else
      job->interrupted = true;
  }
}

void
job_reaped(struct job *job, pid_t pid, int status)
{
  if (pid != job->command)
    return;
  job->ended = true;
  job->status = status;
}
