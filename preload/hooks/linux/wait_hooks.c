// The wait() family: a child that a fault has ended is told of by its parent, who alone learns how.
#include "report/event_json.h"
#include "libc/real_calls.h"
#include "process/output.h"
#include "process/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static void
tell(pid_t child, int signal)
{
  char bytes[512];
  struct text t = {.bytes = bytes, .size = sizeof bytes};
  int saved = errno;

  event_fault(&t, child, signal);
  if (!t.truncated)
    output_event(&t);
  errno = saved;
}

static bool
is_fault(int signal)
{
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
         signal == SIGABRT || signal == SIGSYS || signal == SIGTRAP;
}

// `status` is the program's, and may be NULL where it does not ask.
static pid_t
waited(pid_t child, const int *status)
{
  if (child > 0 && WIFSIGNALED(*status) && is_fault(WTERMSIG(*status)) && !process.secure &&
      output_wants_events())
    tell(child, WTERMSIG(*status));
  return child;
}

FH_EXPORT pid_t
wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
  int own = 0;

  fh_real_resolve();
  status = status ? status : &own;
  return waited(fh_real.wait4(pid, status, options, usage), status);
}

FH_EXPORT pid_t
wait3(int *status, int options, struct rusage *usage)
{
  int own = 0;

  fh_real_resolve();
  status = status ? status : &own;
  return waited(fh_real.wait3(status, options, usage), status);
}

FH_EXPORT pid_t
waitpid(pid_t pid, int *status, int options)
{
  int own = 0;

  fh_real_resolve();
  status = status ? status : &own;
  return waited(fh_real.waitpid(pid, status, options), status);
}

FH_EXPORT pid_t
wait(int *status)
{
  int own = 0;

  fh_real_resolve();
  status = status ? status : &own;
  return waited(fh_real.wait(status), status);
}

FH_EXPORT int
waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
  fh_real_resolve();
  int result = fh_real.waitid(type, id, info, options);
  if (result == 0 && info && info->si_pid > 0 && !(options & WNOWAIT) &&
      (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED)) {
    int status = info->si_status & 0x7f;  // of the form that wait() has
    waited(info->si_pid, &status);
  }
  return result;
}
