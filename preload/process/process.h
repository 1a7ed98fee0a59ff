// What this process is: its options, where its events go, and whether it is the child of a
// multithreaded fork. Filled by the constructor, which alone reads the environment: programs
// overwrite theirs with a process title.
#pragma once

#include "common/config/env_options.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { OUTCOME_NONE, OUTCOME_EXEC, OUTCOME_EXIT };

enum { THREADS_KNOWN, THREADS_LEFT_BEHIND, THREADS_BEING_FORGOTTEN };

// Shared by parent and child of one multithreaded fork (MAP_SHARED).
struct outcome {
  _Atomic int ended;     // futex: an enum of OUTCOME_ once the child exec'd or ended
  _Atomic int compared;  // futex: 1 once the child has filled `same`
  _Atomic int released;  // futex: 1 once the parent is traced no more (exact mode)
  unsigned char same[];  // for each captured thread: 1 the child's stack is as captured, 2 moved
};

// A variable of the environment.
struct variable {
  const char *value;
  char *text;  // "NAME=value", or NULL
};

struct process {
  bool secure;  // set-user-ID and the like: do nothing
  // In the child of a multithreaded fork, before exec; else fork_id is "". A grandchild keeps them.
  char fork_id[32];
  pid_t fork_pid;      // the process these lines speak of: a vfork child shares our memory
  uint64_t forked_at;  // CLOCK_MONOTONIC, ns
  struct outcome *outcome;
  int exec_error;  // errno of an exec of the child that failed; 0: none did
  bool exec_told;  // by an event
  // What thread_table.c knows of the threads: here, since each page that a fork child writes is
  // copied.
  _Atomic int threads;  // THREADS_...
  // As they were at the start; "" where they were not set, or too long.
  struct variable preload, options;
  const char *preload_name;         // "NAME=" of the variable that loads libraries
  const char *library;              // the part of it that names this one; "": none does
  struct variable events;           // FORKHOUND_EVENTS: the driver's event file
  struct variable redirect_python;  // FORKHOUND_REDIRECT_PYTHON: METHOD:DIRECTORY
  char exe[256];
};

extern struct process process;

// In the child of a multithreaded fork (or a fork child of it), before exec.
bool process_is_child(void);

// Parsed at the first call; call it before the fork, not in a child.
const struct env_options *process_options(void);

uint64_t now_ns(clockid_t clock);

// From the constructor: keeps what is ours of the environment. `preload`: "NAME=" of the variable
// that loads libraries; `library`: the path that this one was loaded as, "" if it is not known.
void process_start(char **environment, const char *preload, const char *library);

// The program's own path, "" where it is not known.
void process_path(char *path, size_t size);
