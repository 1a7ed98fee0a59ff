// Does a process wait for data from itself: a pipe, eventfd or socketpair whose every other end is
// in the waiting process?
#pragma once

#include "process/wait_state.h"

enum { OWN_END_MOST = 64 };

struct own_end {
  size_t count;  // of the descriptors it waits for
  int fds[OWN_END_MOST];
  const char *kind;  // of the first: "pipe", "eventfd", "socketpair"
};

// Processes that may have inherited the same descriptors.
struct relatives {
  pid_t root;                // those below it; 0: not known
  unsigned long long since;  // those that started then or later, clock ticks after boot
};

// Looks through all processes (`state` is a wait of kind WAIT_FILE), *holder first. True only if
// all was seen: every descriptor that the call waits for is a pipe, eventfd or connected pair of
// Unix sockets whose other ends are in this process and in no other. False also if a relative
// cannot be read. *holder becomes a process found to have one.
bool own_end_examine(pid_t pid, const struct wait_state *state, const struct relatives *relatives,
                     pid_t *holder, struct own_end *result);
