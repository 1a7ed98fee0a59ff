// Does a process only wait for itself, with timeouts, in a library whose threads the fork left
// behind?
#pragma once

#include "proof.h"

#include <stdbool.h>
#include <stdint.h>

// All its tasks sleep in futex waits, the first again and again for the same word.
struct polls {
  uint64_t word;
  long long since_ns;  // CLOCK_MONOTONIC
  unsigned times;      // seen so
  bool told;
};

// Looks once. Returns a `suspect` event, symbolized, when that has lasted for after_ns; else NULL.
json_t *polls_look(struct polls *polls, const struct suspect *suspect, long long now_ns,
                   long long after_ns);
