#include "job.h"
#include "base/message.h"
#include "process/ptrace_step.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const int FORWARDED[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU};

void
job_take_signals(struct job *job)
{
  sigset_t mine;
  sigemptyset(&mine);
  sigaddset(&mine, SIGCHLD);
  for (size_t i = 0; i < sizeof FORWARDED / sizeof *FORWARDED; i++)
    sigaddset(&mine, FORWARDED[i]);
  struct sigaction standard = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGCHLD, &standard, &job->old_child);
  sigaction(SIGPIPE, &ignore, &job->old_pipe);
  sigprocmask(SIG_BLOCK, &mine, &job->old_mask);
  job->signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
  if (job->signals < 0)
    die("signalfd: %m");
}

void
job_give_back_signals(const struct job *job)
{
  sigaction(SIGCHLD, &job->old_child, NULL);
  sigaction(SIGPIPE, &job->old_pipe, NULL);
  sigprocmask(SIG_SETMASK, &job->old_mask, NULL);
}

// The command, and orphans of its tree, which come to us as their subreaper.
static void
reap(struct job *job)
{
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
    if (WIFSTOPPED(status) && pid != job->command)
      tracer_late_stop(pid, status);
    if (pid != job->command)
      continue;
    job->stopped = WIFSTOPPED(status);
    if (WIFSTOPPED(status) || WIFCONTINUED(status))
      continue;
    job->ended = true;
    job->status = status;
  }
  job->childless = pid < 0 && errno == ECHILD;
}

// An interactive shell waits for us: it is told of a stop, and continues us with `fg`.
static bool
is_foreground_job(void)
{
  if (getpgrp() != getpid() || getsid(0) == getpid())
    return false;
  int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  bool foreground = terminal >= 0 && tcgetpgrp(terminal) == getpgrp();
  if (terminal >= 0)
    close(terminal);
  return foreground;
}

// The command has stopped: so do we, and whoever started us sees what it would see without us. The
// terminal's signals are blocked here: they would stop us at once, and the shell would take the
// terminal away while the command still uses it, or even goes on.
static void
follow_stop(struct job *job)
{
  if (!job->asked_to_stop && !is_foreground_job())
    return;
  job->asked_to_stop = false;
  kill(getpid(), SIGSTOP);
}

static bool
ends_wait(int number)
{
  return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

// What the terminal sends goes to the whole foreground process group: the command has it already.
void
job_handle_signals(struct job *job)
{
  struct signalfd_siginfo info;
  while (read(job->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int number = (int)info.ssi_signo;
    job->asked_to_stop |= number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
    job->interrupted |= job->ended && ends_wait(number);
    if (number != SIGCHLD && info.ssi_code != SI_KERNEL && !job->ended)
      kill(job->command, number);
  }
  reap(job);
  if (job->stopped)
    follow_stop(job);
  job->stopped = false;
}
