#include "stuck_child.h"

#include "raw_syscall.h"
#include "task_linux.h"
#include "unsafe_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

// The number of the system call and its arguments (proc(5)); "running" where it is in none.
static bool
waits_for_lock(pid_t child)
{
  char text[256], *at = text;
  long value[5];

  if (task_count(child) != 1 || task_read(child, child, "syscall", text, sizeof text) <= 0)
    return false;
  for (int i = 0; i < 5; i++) {
    char *end;
    value[i] = (long)strtoul(at, &end, 0);
    if (end == at)
      return false;
    at = end;
  }
  long operation = value[2] & ~FUTEX_CLOCK_REALTIME;
  bool waits = operation == (FUTEX_WAIT | FUTEX_PRIVATE_FLAG) ||
               operation == (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG);
  return value[0] == SYS_futex && waits && value[4] == 0;
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
