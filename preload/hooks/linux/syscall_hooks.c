// prctl() and syscall(): what is installed or done past the functions that are wrapped.
#include "footprint/write_tracking.h"
#include "libc/real_calls.h"
#include "os/seccomp.h"
#include "raw_syscall.h"
#include "redirect/promote_child.h"
#include "redirect/vfork_state.h"
#include "threads/thread_table.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// What is the memory's, not the caller's; and a filter, which this process is not to obey.
static bool
changes_more_than_caller(int option)
{
  enum { SET_MDWE = 65 };  // PR_SET_MDWE, Linux 6.3

  return option == PR_SET_SECCOMP || option == PR_SET_MM || option == PR_SET_THP_DISABLE ||
         option == SET_MDWE;
}

// Of a borrowed child: what the wrappers of libc's functions would have to do.
static void
before_raw_call(long number)
{
  switch (number) {
  case SYS_fork:
  case SYS_vfork:
  case SYS_clone:
  case SYS_clone3:
  case SYS_seccomp:
  case SYS_unshare:
  case SYS_setns:
  case SYS_ptrace:
  case SYS_rt_sigaction:
  case SYS_tkill:
  case SYS_tgkill: become_real("called syscall", REAL_WHOLE); break;
  default: break;
  }
}

FH_EXPORT int
prctl(int option, ...)
{
  va_list list;
  unsigned long a[4];

  va_start(list, option);
  for (int i = 0; i < 4; i++)
    a[i] = va_arg(list, unsigned long);
  va_end(list);
  fh_real_resolve();
  if (borrowed && changes_more_than_caller(option))
    become_real("called prctl", REAL_WHOLE);
  if (!borrowed && option == PR_SET_DUMPABLE)
    borrow_changes.dumpable++;
  if (option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_FILTER)
    guard_remember((const struct sock_fprog *)a[1]);
  else if (option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_STRICT)
    guard_forbid();
  int result = fh_real.prctl(option, a[0], a[1], a[2], a[3]);
  if (option == PR_SET_NAME && result == 0)
    thread_renamed();
  return result;
}

// libseccomp and hand-written sandboxes install filters this way.
FH_EXPORT long
syscall(long number, ...)
{
  va_list list;
  long a[6];

  va_start(list, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg(list, long);
  va_end(list);
  fh_real_resolve();
  if (borrowed)
    before_raw_call(number);
  if (number == SYS_seccomp && a[0] == SECCOMP_SET_MODE_FILTER)
    guard_remember((const struct sock_fprog *)a[2]);
  else if (number == SYS_seccomp && a[0] == SECCOMP_SET_MODE_STRICT)
    guard_forbid();
  if (number == SYS_close && write_watch_keeps((int)a[0])) {
    errno = EBADF;
    return -1;
  }
  if (number == SYS_close_range && write_watch_on())
    return close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2]);
  if (number == SYS_execve)
    return execve((const char *)a[0], (char **)a[1], (char **)a[2]);
  if (number == SYS_execveat)
    return execveat((int)a[0], (const char *)a[1], (char **)a[2], (char **)a[3], (int)a[4]);
  return fh_real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
