// Processes of PID namespaces below ours: which one is it that has a number there?
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MOST_NAMESPACES = 8 };

struct inner_process {
  pid_t pid, parent;  // as we know them
  pid_t numbers[MOST_NAMESPACES];
  size_t depth;  // of `numbers`: from our namespace inwards, more than one
};

struct inner_processes {
  struct inner_process *list;
  size_t count;
  bool read;
};

// Reads those below `root`, unless they have been read. To be freed.
void inner_processes_read(pid_t root, struct inner_processes *processes);
void inner_processes_free(struct inner_processes *processes);

struct inner_wanted {
  pid_t number;        // in the namespace of the parent
  pid_t parent;        // that one's number there; 0: not known, `number` is what it calls itself
  const char *exe;     // the program it runs; NULL or "": any
  long long start_ns;  // CLOCK_REALTIME: about when it began
};
// 0: there is none, or more than one, which *several counts. Of those alike it is the one that
// began then, if no other did.
pid_t inner_process_find(const struct inner_processes *processes, const struct inner_wanted *wanted,
                         size_t *several);
// Whether the process runs the program `exe`, as an event has it; NULL or "": any.
bool inner_process_runs(pid_t pid, const char *exe);
