// --time-limit: when to end the command, and how.
#pragma once

#include <stdbool.h>

struct time_limit {
  double seconds;
  long long next_ns;     // CLOCK_MONOTONIC: when there is something to do; 0: never
  long long reached_ns;  // 0: not yet
  bool told;             // why it is ended
};

// It counts from now on; 0 seconds are no limit.
void time_limit_begin(struct time_limit *limit, double seconds);
// Ends the command now, as if the limit were reached; that is told by others.
void time_limit_reach(struct time_limit *limit);
// The signal that all that runs should get now: SIGTERM, and two seconds later SIGKILL, again and
// again. 0: none.
int time_limit_signal(struct time_limit *limit);
