// Whether a command whose stuck children were ended has anything left to do: Pool.map() waits for
// ever for a worker that was ended, and a Pool makes a new one, which hangs again.
#pragma once

#include "process/usage.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct grace_place;

struct grace {
  long long grace_ns;  // --grace; 0: the command is never ended
  long long next_ns;   // CLOCK_MONOTONIC: when to look again; 0: no child was ended yet
  pid_t forker;        // the process that forked the child ended last
  // Since the command last did something:
  long long since_ns;
  size_t forks, usage_count;
  struct usage *usage;
  struct grace_place *places;
  size_t place_count;
};

void grace_begin(struct grace *grace, double seconds);
void grace_free(struct grace *grace);

struct ended_child {
  const char *place;  // where it waited
  pid_t pid, forker;
  long long forked_ns;  // CLOCK_REALTIME
};

// A stuck child was ended. Returns why the command is to be ended (the caller frees it), or NULL.
// `forks`: how many there were so far.
char *grace_ended_child(struct grace *grace, const struct ended_child *child, size_t forks);

// To be called when it is time. The same.
char *grace_look(struct grace *grace, size_t forks);
