// The Mach calls of include/mach/mach.h over Linux: threads are listed by /proc/self/task, and
// suspended by a signal whose handler waits. Rights to ports are counted as the kernel counts them.
#pragma once

#include <stdbool.h>

struct fake_mach_balance {
  long rights;     // to thread ports, not given back
  long arrays;     // of task_threads(), not given back
  long suspended;  // threads
  long mistakes;   // rights given back that were not had, resumes of what was not suspended, ...
  long suspends;   // successful calls in all
};
struct fake_mach_balance fake_mach_balance(void);

// No thread is suspended now: whatever may wait for a lock of libc asks this.
bool fake_mach_all_run(void);

// In a fork child: a task of its own, with one thread.
void fake_mach_child(void);
