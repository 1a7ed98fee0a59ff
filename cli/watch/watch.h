// The children of multithreaded forks that live: which of them has got stuck?
#pragma once

#include "model/model.h"
#include "prove/polls.h"
#include "prove/stuck_task.h"
#include "process/wait_state.h"

// A wait without an end.
struct endless {
  struct wait_state state;
  long long since_ns;  // CLOCK_MONOTONIC: the process is in it at least so long
  long long next_ns;   // when to see whether it is still the same wait
  bool judged, told;
};

// A process that does not sleep.
struct busy {
  long long since_ns;  // 0: it does sleep
  unsigned long long runnable_ns;
  long long next_ns, delay_ns;  // when to step through it, and how long until the time after
  unsigned times;               // that it was found in the same loop
  uint64_t signature;
  bool told;
};

// One that waits with a timeout, again and again.
struct repeats {
  struct wait_state state;  // the first of them
  long long since_ns;
  unsigned times;
  bool judged, told;  // told once: our look at its stack interrupts a wait, and another one begins
};

struct watched {
  struct fork_record *fork;  // that made it, or its parent
  pid_t pid;
  pid_t number;              // as the program knows it: another one in a PID namespace of its own
  pid_t parent;              // what forked it, or its parent
  unsigned long long start;  // tells the process from another with the same pid
  int fd;                    // its "syscall" file; -1: opened for each look
  bool killed;               // by us
  bool proof_only;           // no fork of it is known: no suspicion without a lock
  unsigned looks;
  pid_t holder;   // last found at the other end of what it waited for
  bool provided;  // watch_awaits() found another process there, or a handler that could write
  struct endless endless;
  struct busy busy;
  struct repeats repeats;
  struct polls polls;
  struct stuck_tasks stuck;  // while others of its tasks go on
  bool stuck_told;
};

struct watch {
  struct watched *list;
  size_t count;
  size_t next_fork;  // of those that have arrived: the first one not taken in
  size_t open_files, most_files;
  size_t turn;  // who is looked at first takes turns
  pid_t root;   // all that is watched, and its relatives, are below this process; 0: not known
  long long stuck_after_ns;
  long long step_after_ns;  // when another process may be stepped through
  bool hurried;             // no pause between them
  void (*found)(void *context, pid_t pid, json_t *event);
  // A child that cannot be told from others in PID namespaces below; NULL: none
  void (*unseen)(void *context, const struct fork_record *fork);
  void (*ended)(void *context, struct fork_record *fork, pid_t pid, bool killed);  // NULL: none
  void *context;
};

// How often to call watch_tick() while there is someone to watch, at least.
#define WATCH_INTERVAL_NS 200000000LL

void watch_init(struct watch *watch, long long stuck_after_ns);
// `fork` must outlive the watch. False: there is no such process.
bool watch_add(struct watch *watch, struct fork_record *fork, pid_t pid, bool proof_only);
// Looks at each child once, those below `root` that have arrived in the model (NULL: none)
// included. Calls found() with a `deadlock` or `suspect` event of its own reference for each child
// whose wait has lasted long enough and is proven, or suspected, to last for ever, and ended() for
// one that has ended, unless the model knows that it exec'd. Returns when to call it next
// (CLOCK_MONOTONIC): so that it takes about 1 % of a processor.
long long watch_tick(struct watch *watch, const struct model *model);
// Notes, in found(), that the process is killed for what was found.
void watch_killed(struct watch *watch, pid_t pid);
// Calls ended() for those that have ended since the last look, and for those that have arrived in
// the model since then.
void watch_sweep(struct watch *watch, const struct model *model);
// Whether it is worth to go on watching although nothing else is to be done: a child sleeps in a
// wait without an end that could still be proven, or suspected, to last for ever; or dies, killed.
bool watch_awaits(struct watch *watch);
void watch_free(struct watch *watch);
