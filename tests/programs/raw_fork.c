// truth: forks=1 threads=2 entry=_Fork exit=0
// _Fork() runs no fork handlers.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  pid_t child = _Fork();
  if (child == 0)
    _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
