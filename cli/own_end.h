/* Does a process wait for data from itself: a pipe, eventfd or socketpair whose every other end is
   in the waiting process? */
#ifndef FORKHOUND_OWN_END_H
#define FORKHOUND_OWN_END_H

#include "wait_state.h"

enum { OWN_END_MOST = 64 };

struct own_end {
  size_t count; /* of the descriptors it waits for */
  int fds[OWN_END_MOST];
  const char *kind; /* of the first: "pipe", "eventfd", "socketpair" */
};

/* Looks through all processes (`state` is a wait of kind WAIT_FILE), *holder first. True only if
   all was seen: every descriptor that the call waits for is a pipe, eventfd or connected pair of
   Unix sockets whose other ends are in this process and in no other. A process that cannot be read
   could have one if it is not older than `since` (start time in clock ticks after boot): then the
   answer is false. *holder becomes a process found to have one. */
bool own_end_examine(pid_t pid, const struct wait_state *state, unsigned long long since,
                     pid_t *holder, struct own_end *result);

#endif
