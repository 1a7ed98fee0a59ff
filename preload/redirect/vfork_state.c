#include "vfork_state.h"

#include "raw_syscall.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

__thread struct borrow *borrowed;
struct borrow_changes borrow_changes;

// The kernel clears the thread's number in its block when it ends (CLONE_CHILD_CLEARTID of
// pthread_create()), for which this function looks.
bool
borrow_parent_waits(const struct borrow *b)
{
  clockid_t unused;

  return (pid_t)RAW(SYS_getppid) == b->parent &&
         pthread_getcpuclockid(pthread_self(), &unused) == 0;
}
