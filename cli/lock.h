/* What kind of lock a futex word belongs to, and who owns it. */
#ifndef FORKHOUND_LOCK_H
#define FORKHOUND_LOCK_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct lock {
  const char *kind; /* static text: "pthread_mutex", "semaphore", ... */
  pid_t owner;      /* tid recorded in the lock, as the process knows it: see procfs_task_called();
                       0: it keeps none, or none is recorded now */
};

/* `stack` is that of the waiting thread: the lock's kind is told from the function that waits, or
   from the words of the lock. */
struct lock lock_at(pid_t pid, uint64_t word, const json_t *stack);

#endif
