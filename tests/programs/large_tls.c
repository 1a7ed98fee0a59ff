// truth: forks=4 threads=2 entry=fork
// A program with variables of a thread that take more than the stack of a small thread: what it has
// open is the same after forks.
#include "descriptors.h"
#include "idle.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread char large[200000];

int
main(void)
{
  start_thread(idle);
  large[0] = 1;
  int before = count_descriptors();
  for (int i = 0; i < 4; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    if (waitpid(child, NULL, 0) != child)
      return 1;
    usleep(50000);  // within the budget of later forks
  }
  return count_descriptors() == before && large[0] == 1 ? 0 : 1;
}
