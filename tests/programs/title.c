// truth: forks=1 threads=2 entry=fork exit=0
// A name with spaces and parentheses must not disturb the count.
#include "idle.h"

#include <sys/prctl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  prctl(PR_SET_NAME, "a) b (c 20");
  pid_t child = fork();
  if (child == 0)
    exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
