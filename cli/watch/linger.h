// After the end of the command: has it left a child behind that is stuck, or about to be?
#pragma once

#include "watch.h"

struct sleeper {
  pid_t pid;
  unsigned long long switches;
};

struct linger {
  long long settled_ns, until_ns;  // CLOCK_MONOTONIC; 0: has not begun
  long long next_ns;               // when to ask again
  struct sleeper *sleepers;
  size_t count;
};

// The command has ended; a wait is judged when it has lasted for stuck_after_ns.
void linger_begin(struct linger *linger, long long now_ns, long long stuck_after_ns);
// True as long as it is worth to go on with watch_tick(): until each child that may be stuck is
// judged, at most a second longer than a wait must last. What sleeps otherwise, or runs on, is not
// waited for, but for the first instant.
bool linger_on(struct linger *linger, struct watch *watch, long long now_ns);
void linger_free(struct linger *linger);
