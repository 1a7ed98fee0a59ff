// One multithreaded fork, put together after it: its stacks unwound and its threads grouped by who
// made them. event_json.c and report_text.c render it.
#pragma once

#include "process/process.h"
#include "common/cpython/reader.h"
#include "capture/snapshot.h"
#include "unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { NAME = 17, GONE = 256, TEST = 512 };

struct story_stack {
  const struct frame *frames;
  int count;
};

// count: PYTHON_NO_STATE where it is no thread of Python's, or PYTHON_UNREADABLE.
struct story_python {
  const struct python_frame *frames;
  int count;
  bool cut;
  const char *name;  // of the threading.Thread, or NULL
};

struct story_thread {
  pid_t tid;
  char name[NAME];
  char state;
  const char *group;  // file name of the module that made it, or "main"
  const char *exact;  // "unchanged", "moved" or "approximate"
  struct story_stack stack;
  struct story_stack created_by;
  pid_t creator;
  struct story_python python;
};

struct story_group {
  const char *module;
  int count;
};

// A thread seen at the entry of the fork call and gone at the fork instant: one of the program's
// own fork handlers stopped it.
struct gone {
  pid_t tid;
  char name[NAME];
};

struct story {
  char id[32];
  uint64_t time_ns;  // CLOCK_REALTIME
  pid_t tid, child;
  char thread[NAME];
  const char *entry;  // the symbol called, or NULL
  int threads, threads_at_entry;
  unsigned seen;        // how often this site has forked
  bool redirected;      // carried out as posix_spawn does
  char same_as[32];     // id of the reported fork of this site; "" for that one
  const char *capture;  // "ptrace", "proc" or "none"
  const char *why;      // why not ptrace, or NULL
  uint64_t capture_ns, stopped_ns;
  uint64_t evidence;  // address of registers that the child inherits (struct snapshot_thread), or 0
  uint64_t python_evidence;  // of what the child keeps of Python's threads (struct python_record)
  struct story_stack site;
  struct python *interpreter;  // NULL: none
  struct story_python python;  // of the forking thread
  char test[TEST];             // the test that pytest runs, or ""
  int other_count;
  struct story_thread *others;
  int group_count;
  struct story_group *groups;
  int gone_count;
  const struct gone *gone;
  const struct modules *modules;
};

// Fills site, others and groups from the snapshot, in memory taken from `arena`. Under
// modules_with(). `site` is the forking thread's own stack.
struct arena {
  unsigned char *next, *end;
};
void story_fill(struct story *story, const struct snapshot *snapshot, const struct stack_copy *site,
                struct arena *arena);

// Labels the stacks by what the child found.
void story_label(struct story *story, const struct snapshot *snapshot,
                 const struct outcome *outcome);

// The bytes of arena that story_fill() may use.
size_t story_arena_size(const struct snapshot *snapshot);
