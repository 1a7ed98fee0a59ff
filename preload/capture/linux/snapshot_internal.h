// What the files of the Linux snapshot share. All of it: raw system calls only, no libc, so that it
// may run in the helper task and with other threads stopped.
#pragma once

#include "capture/snapshot.h"
#include "os/linux/task.h"

// At the start of its memory: the far end of its stack.
struct helper {
  struct snapshot *snapshot;
  pid_t pid, caller;
  long task;          // of the helper, or -errno
  _Atomic int go;     // futex: the helper may trace
  _Atomic int ready;  // futex, exact mode: 1 the caller may go on to fork, 2 it cannot be traced
  void (*function)(void *);  // of snapshot_run_helper()
  void *argument;
};

// A new thread in the snapshot, if it is not the caller and not listed yet; to be called for each
// task of /proc in its order. NULL otherwise, or when there is no room.
struct listing {
  struct snapshot *snapshot;
  pid_t caller;
  int known;  // those of the snapshot that may be listed again
  int hint;
};
void snapshot_list(pid_t tid, void *listing);

// Fills a thread from what /proc says of a sleeping task, but for its stack.
void snapshot_from_proc(struct snapshot_thread *t, const struct task_syscall *call);

// Copies the used parts of the stacks of threads [first, end) that have registers and no copy.
// `copy`: memory_copy() or, in the helper task, nofault_copy(), for those whose end is known.
void snapshot_copy_stacks(struct snapshot *s, int first, int end,
                          size_t (*copy)(void *to, size_t length, uint64_t address));

// ptrace_stop.c: in the helper task. Stops and copies all other threads; lets them go.
void stop_others(struct helper *h);
void release_others(struct helper *h);

// helper_task.c: the size of its memory.
size_t helper_bytes(void);
// Starts the helper task and waits for its end.
void helper_run(struct helper *h);
// Exact mode: the others stop when the caller enters clone(). False where that cannot be.
bool helper_run_exact(struct helper *h);
void helper_finish_exact(struct helper *h);
// Runs h->function, which traces nothing. False where there is no helper.
bool helper_run_function(struct helper *h);
