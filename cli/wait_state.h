/* What the tasks of a process wait in. */
#ifndef FORKHOUND_WAIT_STATE_H
#define FORKHOUND_WAIT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct task_wait {
  pid_t tid;
  uint64_t address; /* of the futex word */
  uint32_t value;   /* that the word had when the wait began */
  int operation;    /* the futex operation with its flags */
  uint64_t sp, pc;
  unsigned long long
      switches; /* how often it gave up or lost the processor: the same wait if equal */
};

struct wait_state {
  size_t count;
  struct task_wait *tasks;
};

/* True if every task of the process sleeps in a futex wait without a timeout; then *state is
   filled, to be freed with wait_state_free(). */
bool wait_state_read(pid_t pid, struct wait_state *state);
void wait_state_free(struct wait_state *state);
/* The same tasks in the same waits; with `uninterrupted`, in the very same ones. */
bool wait_state_equal(const struct wait_state *a, const struct wait_state *b, bool uninterrupted);

#endif
