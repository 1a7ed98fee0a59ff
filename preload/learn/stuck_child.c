#include "stuck_child.h"

#include "os/descriptor.h"
#include "raw_syscall.h"
#include "os/linux/task.h"
#include "process/unsafe_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/wait.h>

// In futex(word, operation, value, timeout) without a timeout.
static bool
waits_for_lock(pid_t child)
{
  struct task_syscall in;
  long folder = task_count(child) == 1 ? task_folder(child) : -1;

  if (folder < 0)
    return false;
  int sleeps = task_syscall(folder, child, &in);
  descriptor_close(folder);
  if (sleeps != 1 || in.number != SYS_futex)
    return false;
  unsigned long operation = in.arguments[1] & ~(unsigned long)FUTEX_CLOCK_REALTIME;
  bool waits = operation == (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) ||
               operation == (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG);
  return waits && in.arguments[3] == 0;
}

bool
stuck_child(pid_t child)
{
  return waits_for_lock(child) && unsafe_calls_any(child);
}

void
stuck_child_end(pid_t child)
{
  RAW(SYS_kill, child, SIGKILL);
  while (RAW(SYS_wait4, child, 0, 0, 0) == -EINTR)
    ;
}
