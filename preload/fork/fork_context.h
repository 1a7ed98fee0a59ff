// One fork of the calling thread, from the entry of the call to the report after it.
#pragma once

#include "process/process.h"
#include "registers.h"
#include "report/known_sites.h"
#include "capture/snapshot.h"
#include "report/fork_report.h"

struct learn;

struct call {
  const char *entry;    // NULL outside a wrapper
  uint64_t wrapper_sp;  // the stack pointer of that wrapper; frames of its callers are above
  int threads_at_entry, threads;
  uint64_t kinds;      // thread_kinds() at the fork instant
  bool counted;        // the prepare handler saw several threads
  bool telling;        // a signal handler that forks now interrupts our report: hands off
  uint64_t forked_at;  // CLOCK_MONOTONIC, ns
  struct registers registers;
  struct site *site;
  const char *redirected;    // of a redirected fork: the id of the first one from its site that was
                             // told, or ""; NULL: this one is real
  unsigned redirected_seen;  // redirected from there so far
  uint64_t slot;  // where the return address of the function that calls fork() stands, if the entry
                  // of fork() has found it; else 0
  bool taken;     // the parent of a borrowed child that becomes real has captured the threads
  struct snapshot *snapshot;
  bool needs_threads;   // of a fork that is learned from: registers, at any cost
  struct learn *learn;  // NULL: this fork is not learned from
  struct outcome *outcome;
  size_t outcome_size;
  unsigned char *own_stack;  // copy of the caller's, from its stack pointer upward
  size_t own_stack_length;
  struct gone *at_entry;
  int at_entry_count;
  char id[32];  // "PID.SEQUENCE"
  unsigned sequence;
};

extern __thread struct call call;

enum { CALL_STACK = 64 * 1024 };  // bytes of own_stack

// A new id for it.
void call_number(void);

// Unmaps what was captured; call_forget() makes all of it as new.
void call_forget_capture(void);
void call_forget(void);
