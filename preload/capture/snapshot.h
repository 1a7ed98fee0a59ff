// The seam to the operating system: stop the other threads, copy their registers and stacks, let
// them go. One file per system.
#pragma once

#include "common/config/env_options.h"
#include "common/wire/captured_thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct snapshot {
  size_t mapped;  // bytes of this mapping
  int count, most;
  bool stopped;     // threads were stopped; else they were only looked at (/proc)
  bool listed;      // all threads could be listed: `count` is right
  bool at_clone;    // they stop only when the caller clones (exact mode)
  const char *why;  // why not stopped, in words, or NULL
  uint64_t capture_ns, stop_began, stopped_ns;
  bool yama;           // PR_SET_PTRACER was needed (Linux)
  size_t stack_bytes;  // of each stack, at most
  void *helper;        // memory of the helper task (Linux)
  unsigned char *copies;
  size_t copied;                     // bytes of copies
  struct snapshot_thread threads[];  // one more than `most`: a tid of 0 follows the last
};

// Takes every other thread of the process, at most `most`, with `stack_bytes` of each
// stack. NULL where no memory can be had. The
// caller's thread only; one at a time in a process (see the lock in fork.c). No allocation, no
// locks, no libc; errno is unchanged. Free with snapshot_free().
// In CAPTURE_EXACT mode the threads are stopped later, while the caller's clone() runs: then what
// is captured is exactly what the child inherits, and snapshot_finish() must follow in the parent
// before the snapshot is read. In the other modes that call does nothing.
struct snapshot *snapshot_take(int most, size_t stack_bytes, enum capture_mode mode);
void snapshot_finish(struct snapshot *s);
void snapshot_free(struct snapshot *s);

// Runs a function in a task where the reads of nofault_copy() are harmless (nofault.h), and waits
// for its end, before which it may be killed. It may call nothing that looks at errno or another
// variable of the thread, or that makes system calls through libc. False where there is no such
// task: nothing was done.
bool snapshot_run_helper(struct snapshot *s, void (*function)(void *), void *argument);

// The name of threads[i], which may still live, cut to `size`; "" for none.
void snapshot_name(const struct snapshot *s, int i, char *name, size_t size);

// How the threads were taken, as the event names it.
const char *snapshot_means(const struct snapshot *s);

// What a report says of the stacks of threads that were not stopped.
const char *snapshot_instead(void);
