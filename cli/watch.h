/* The children of multithreaded forks that live: which of them has got stuck? */
#ifndef FORKHOUND_WATCH_H
#define FORKHOUND_WATCH_H

#include "model.h"
#include "wait_state.h"

struct watched {
  struct fork_record *fork; /* that made it, or its parent */
  pid_t pid;
  unsigned long long start; /* tells the process from another with the same pid */
  struct wait_state wait;   /* count 0: not in one */
  long long since_ns;       /* CLOCK_MONOTONIC: since when it is in that wait */
  bool told;
};

struct watch {
  struct watched *list;
  size_t count;
  size_t next_fork; /* of those that have arrived: the first one not taken in */
  long long stuck_after_ns;
  void (*found)(void *context, pid_t pid, json_t *event);
  void *context;
};

/* How often to call watch_tick() while there is someone to watch. */
#define WATCH_INTERVAL_NS 200000000LL

/* Looks at each child once. Calls found() with a `deadlock` or `suspect` event of its own reference
   for each child whose wait has lasted long enough and is proven, or suspected, to last for ever.
 */
void watch_tick(struct watch *watch, const struct model *model, long long now_ns);
void watch_free(struct watch *watch);

/* Whether the process is still the one that was forked. */
bool watched_lives(const struct watched *watched);

#endif
