// Which signal handlers of a process only note that the signal has come?
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Those of CPython and Ruby set flags, and the interpreter runs what the program wants to be done
// when it gets to it; others do nothing at all. As masks: bit 0 is signal 1.
struct handlers {
  unsigned long long noting;  // signals with such a handler
  unsigned long long timers;  // SIGALRM, SIGVTALRM and SIGPROF whose interval timer runs
};

// Asks the kernel in the name of a task that sleeps in a futex wait, which stops for some tens of
// microseconds and goes on waiting. False: it cannot be asked (it is traced, or under a seccomp
// filter); then nothing was done.
bool handlers_read(pid_t pid, pid_t tid, struct handlers *handlers);
