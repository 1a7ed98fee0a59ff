// What the events say: the multithreaded forks, their sites, and what became of the children.
#pragma once

#include "redirects.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

// A child that has not called exec by then runs on in a copy of a multithreaded process.
#define EXEC_GRACE_US 100000LL

enum outcome { OUTCOME_RUNNING, OUTCOME_EXEC, OUTCOME_HAZARD };

struct site {
  json_t *event;  // the fork event that holds the stacks; NULL until it is read
  unsigned forks, hazards;
  struct fork_record *hazard;  // the first one
  bool exec_reported;
  json_t *findings;  // reported: the place where a stuck child waits, to its pid; NULL: none
};

struct fork_record {
  json_t *event;  // NULL until it is read: the child's events may come first
  json_t *early;  // those that did
  struct site *site;
  struct fork_record *before;  // that had the same id; NULL: none
  struct fork_record *first;   // of the same place in the same process; it may not be read yet
  long long child, time_ns;
  enum outcome outcome;
  long long exec_after_us, exit_after_us;  // -1: has not happened, or not known when
  char *exec_path;
  char *exec_error;  // of an exec that failed: "ENOENT"; NULL: none did
  json_t *unsafe_calls;
  json_t *gone;  // pids of the child and its children that have exec'd, as keys; NULL: none
  bool ended, status_known;
  long long status;
  int fault;  // the signal of a fault that ended the child; 0: none is known
  bool suppressed, finding_suppressed;
  bool has_grandchildren;
  size_t bytes;     // of the line of its event
  json_t *finding;  // `deadlock` or `suspect` event; NULL: none
};

// A process that runs in a copy of a multithreaded one: the child of a fork, or a child of its.
struct arrival {
  struct fork_record *fork;
  long long pid;
};

struct blind_spot {
  char *path, *why;
};

struct model {
  struct fork_record **forks;
  size_t fork_count;
  struct arrival *arrived;  // children of multithreaded forks, as they become known
  size_t arrived_count;
  struct site **sites;
  size_t site_count;
  struct blind_spot *blind;
  size_t blind_count;
  json_t *fork_index, *site_index;  // id to position
  size_t *undecided;                // positions of forks whose outcome is OUTCOME_RUNNING
  size_t undecided_count;
  json_t *strays;  // `suspect` events of processes whose fork has no event: it does not return
  struct redirects redirects;
  json_t *waiting;  // `waiting` events: of children that slept in a lock at the time limit
  size_t events;
  long long last_ns;  // the latest time_ns
  size_t next_bytes;  // the length of the line that the next event was read from; 0: our own
  size_t bytes;       // of the lines of all events that are kept
  size_t left_out;    // events beyond what may be kept
};

// The event that has the threads and stacks of this fork or, where it has none, those of the first
// fork from there: in the same process if that is known. Borrowed.
json_t *fork_stacks(const struct fork_record *fork);

void model_init(struct model *model);
void model_free(struct model *model);
// Takes an event in (with a reference of its own, where it keeps it). Returns the fork whose
// outcome it decided, or NULL.
struct fork_record *model_add(struct model *model, json_t *event);
// Whether the program, or one that is the same file by another path, is a blind spot.
bool model_is_blind_to(const struct model *model, const char *path);
// Whether what was read may still be kept; counts it, or that it is left out.
bool model_may_keep(struct model *model);
// Frees what is no longer needed of a fork whose child has ended, or has exec'd, and that nothing
// was found of: a run may have hundreds of thousands.
void model_shorten(struct model *model, const json_t *event);
// Takes in a `deadlock` or `suspect` event. Returns its fork, or NULL if it names none: see
// model_add_stray().
struct fork_record *model_find(struct model *model, json_t *event);
// The fork with this id, or NULL.
const struct fork_record *model_fork(const struct model *model, const char *id);
// Takes in a `suspect` event of a fork that does not return.
void model_add_stray(struct model *model, json_t *event);
// Whether this process, the child or a child of it, has exec'd, by its own account.
bool fork_gone(const struct fork_record *fork, long long pid);
// Returns a fork whose child has become a hazard because it had not called exec at `now_ns`; NULL:
// no more.
struct fork_record *model_expire(struct model *model, long long now_ns);
// When model_expire() has something to do next (CLOCK_REALTIME); -1: nothing pending.
long long model_deadline_ns(const struct model *model);

struct tally {
  unsigned forks, sites, exec, hazard, running, suspect, deadlock;
  unsigned faults;  // children that a fault has ended
  unsigned unsafe;  // of exec: after calls that are not async-signal-safe
};
struct tally model_tally(const struct model *model);
