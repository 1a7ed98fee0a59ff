// truth: forks=1 threads=2 entry=daemon exit=0
// The parent leaves inside daemon(); the report must come first.

#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  if (daemon(1, 1) != 0)
    return 1;
  _exit(0);
}
