// Darwin has no filters for system calls that a process installs for itself, but sandboxes: they
// refuse, and do not kill.
#include "os/seccomp.h"

bool
guard_filtered(void)
{
  return false;
}

void
guard_look(void)
{
}

bool
guard_allows_report(void)
{
  return true;
}

void
guard_trust(int (*filters_known)(void))
{
  (void)filters_known;
}
