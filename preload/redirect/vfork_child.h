// fork() carried out the way posix_spawn() does it: the child borrows the parent's memory, the
// thread that forked waits, and all others run on. The child goes on in the caller's stack and with
// its thread block; it returns 0 from fork() like any other. When it execs or ends the thread gets
// its stack back as it was before, and fork() returns there.
//
// Words: the *parent* is the thread that forked, waiting in borrow_wait() on a stack of its own;
// the *child* is the process that borrows. They share memory, so all that is written here is
// shared; but descriptors, signal handlers, ids, limits and the working directory are each their
// own. The child has the thread block of the parent, which runs no code of the program meanwhile: a
// __thread variable of ours belongs to the one that runs.
#pragma once

#include "child_calls.h"
#include "vfork_state.h"

#include <sys/types.h>

// The entry of fork(): what is to be borrowed, or NULL for a real fork.
struct borrow *borrow_enter(struct entry_frame *frame);
// In the child, first of all.
void borrow_begin(struct borrow *b);
// In the parent, on its own stack: waits, and gives the caller's stack back. `result`: of clone3().
void borrow_wait(struct borrow *b, long result);
// In the parent, back on the caller's stack: the result of fork().
pid_t borrow_end(struct borrow *b);
