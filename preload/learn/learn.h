// Watches the child of one real fork: could it have borrowed its parent's memory? The answer is for
// the place that called fork.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct learn;
struct snapshot;

// Before the first thread is made.
void learn_start(void);

// In the parent before a fork. `sp`: of the calling function; `slot`: where its return address
// stands, or 0: it has to be found. NULL: nothing is to be learned from this one. errno is
// unchanged.
struct learn *learn_before(const void *return_address, uint64_t sp, uint64_t slot);

// Whether the other threads' registers are needed, at any cost; false for NULL.
bool learn_needs_threads(const struct learn *learn);

// In the child, before what was captured at the fork is forgotten: it stays mapped. `stack`: the
// copy of the caller's.
void learn_threads(struct learn *learn, const struct snapshot *threads, const void *stack,
                   size_t size);

// Last in the child, before fork() returns there.
void learn_child(struct learn *learn);

// In the parent, after it has told of the fork; `child`: -1 if it failed. Frees `learn`. For the
// first forks of a site it waits until the child execs, at most 200 ms, as it would for a borrowed
// one: what changes its stack meanwhile is another thread. False: the child is stuck (see
// stuck_child.h), and is to be replaced: in auto mode, where the site is to be redirected. errno is
// unchanged.
bool learn_after(struct learn *learn, pid_t child);

// Whether this process is a child that is watched.
bool learn_watches(void);

// What the child does. Each costs a test where none is watched; errno is unchanged.
void learn_exec(void);                // at each exec that will be tried
void learn_exit(void);                // at its end without exec
void learn_refuse(const char *what);  // something that a borrowed child cannot do

// Whether fork children of this process are to be learned from.
bool learn_wanted(void);
