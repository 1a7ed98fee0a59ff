// The children of multithreaded forks on macOS, where another process cannot be looked into:
// sample(1) is asked where one is. What it says proves nothing: a child is suspected at most.
#pragma once

#include "model/model.h"

#include <sys/types.h>

struct sampled {
  struct fork_record *fork;
  pid_t pid;
  long long next_ns,
      delay_ns;  // CLOCK_MONOTONIC: when to look, and how long until the time after
  unsigned looks;
};

struct sample_watch {
  struct sampled *list;
  size_t count, next_fork;
  long long stuck_after_ns;
  char *file;    // that sample(1) writes
  pid_t asking;  // sample(1) runs; 0: it does not
  pid_t asked;   // the process it looks at
  bool warned;   // that it could not
  void (*found)(void *context, json_t *event);
  void *context;
};

// `folder` holds the file for the time that it is needed.
void sample_watch_init(struct sample_watch *watch, const char *folder, long long stuck_after_ns);

// Takes in the children that have arrived in the model, forgets those that ended or exec'd, and
// looks at one that is due. Calls found() with a `suspect` event of its own reference for each that
// seems stuck.
void sample_watch_tick(struct sample_watch *watch, const struct model *model);

// Some child has not been looked at yet, or is just being looked at.
bool sample_watch_busy(const struct sample_watch *watch);

// Whether the pid was the sampler's, which has ended with this status of waitpid(). From whoever
// waits for children.
bool sample_watch_reaped(struct sample_watch *watch, pid_t pid, int status);

void sample_watch_free(struct sample_watch *watch);
