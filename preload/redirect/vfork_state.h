// What a fork in borrowed memory is: see vfork_child.h for the words.
#pragma once

#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  KERNEL_SIGNALS = 65,  // 1 to 64
  // Of the two signals that libc keeps for itself and lets nobody block: it changes the ids of all
  // threads (nptl/setxid), which a child must not do.
  BORROW_SIGNAL = 33,
};

// As rt_sigaction() has it on x86-64 (arch/x86/include/uapi/asm/signal.h).
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

enum {
  BORROW_STACK = 256 * 1024,  // most of the caller's stack that is saved
  // What the futex `state` says; the kernel writes 0 when the child has exec'd or ended
  // (CLONE_CHILD_CLEARTID).
  BORROW_GONE = 0,
  BORROW_RUNS = 1,
  BORROW_ASKS = 2,  // the child waits for `answer`, to become a process of its own
  BORROW_LEFT = 3,  // it has: `real` is that process; the child waits for `answer`, to end
};

// Who may do what: the parent must not send its signal to what the child has exec'd.
enum borrow_gate { GATE_OPEN, GATE_SIGNALS, GATE_EXECS };

struct borrow {
  // Known to fork_entry.S:
  uint64_t sp;            // 0: of struct entry_frame, in the caller's stack
  uint64_t parent_stack;  // 8: where the parent waits
  uint64_t child_stack;   // 16: where the child goes to end, once the caller's stack is given back
  uint64_t padding[5];
  struct clone_args clone;  // 64: the parent_tid that clone3() does not use here is not touched

  _Atomic int state, answer;  // futexes
  _Atomic int gate;
  _Atomic bool used;  // in the pool
  char id[32];        // of the fork, in events
  pid_t parent, child, real;
  int result;      // of fork() in the parent: a pid, or -errno
  int status;      // as wait4() has it, of a child that ended; valid where `ended` is
  int exec_error;  // errno of an exec that failed; 0: none did
  bool ended;
  bool captured;    // the parent has taken the fork for a report, when the child became real
  char reason[64];  // why the child became real; "": it has not
  char path[256];   // that the child exec'd
  uint64_t began;   // CLOCK_MONOTONIC, ns
  struct redirect_site *site;
  uint64_t trap;     // where the return address of the calling function stands, 0: no trap
  uint64_t trapped;  // what was there
  // What the child may change in the parent, which gets it back.
  void *saved_stack;
  size_t saved;
  char **environment;
  int error;  // errno
  int dumpable;
  unsigned environment_changes, dumpable_changes;  // as borrow_changes was
  int cancel_state;
  int oom_score;
  uint64_t mask;
  stack_t alternate;
  struct kernel_action actions[KERNEL_SIGNALS];  // the dispositions as the program sees them
  uint64_t caught;                               // signals that have our handler in the child
  int reminders;                                 // of the parent, to become real
  uint64_t deferred;                             // came where the child could not become real
};

// What the child of a borrowed fork that runs now is, or NULL.
extern __thread struct borrow *borrowed;

// The registers that the entry of fork() has pushed.
struct entry_frame {
  uint64_t padding, r15, r14, r13, r12, rbx, rbp, return_address;
};

// In the child: whether the thread that forked is there still, to answer. Its process may have
// ended, or another thread of it may have called exec: then the memory is the child's alone.
bool borrow_parent_waits(const struct borrow *b);

// How often other threads than a borrowed child's have changed what its parent would get back.
struct borrow_changes {
  _Atomic unsigned environment, dumpable;
};
extern struct borrow_changes borrow_changes;
