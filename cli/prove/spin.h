// Does a process that keeps a processor busy only go round in a loop that waits for a word of
// memory to change?
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spin {
  unsigned instructions, rounds;  // of one round of the loop; rounds seen
  bool exact;                     // every register the same in each round; else but for counters
  bool yields;                    // it calls sched_yield()
  uint64_t word, value;           // the word that it reads, and its 8 bytes
  uint64_t signature;             // equal for the same loop in the same state
};

// Steps through up to 256 instructions of a task that runs alone in its process: it stands still
// for some milliseconds. True if they are the rounds of a loop in which nothing changes, neither
// registers (but for counters) nor memory, without any system call but sched_yield(), that reads a
// word of private memory. A computation changes registers that hold more than a count, writes
// memory, reads it at other addresses from one round to the next, or uses other instructions. False
// also where the task cannot be traced. Signals that come meanwhile are passed on.
bool spin_examine(pid_t pid, struct spin *spin);
