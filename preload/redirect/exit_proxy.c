#include "exit_proxy.h"

#include "vfork_state.h"
#include "raw_syscall.h"

#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

static _Noreturn void
end(int status)
{
  const struct rlimit none = {0, 0};
  const uint64_t nothing = 0;
  const struct kernel_action standard = {.handler = SIG_DFL};

  if (WIFEXITED(status))
    RAW(SYS_exit_group, WEXITSTATUS(status));
  RAW(SYS_prlimit64, 0, RLIMIT_CORE, &none, 0);
  RAW(SYS_rt_sigaction, WTERMSIG(status), &standard, 0, sizeof nothing);
  RAW(SYS_kill, RAW(SYS_getpid), WTERMSIG(status));
  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &nothing, 0, sizeof nothing);
  for (;;)
    RAW(SYS_exit_group, 255);
}

pid_t
substitute(pid_t wanted, int status)
{
  struct clone_args how = {
      .exit_signal = SIGCHLD,
      .set_tid = (uint64_t)(uintptr_t)&wanted,
      .set_tid_size = 1,
  };

  long child = RAW(SYS_clone3, &how, sizeof how);
  if (child < 0) {
    how.set_tid = how.set_tid_size = 0;
    child = RAW(SYS_clone3, &how, sizeof how);
  }
  if (child == 0)
    end(status);
  return (pid_t)child;
}
