// The second net: fork handlers, for the forks that libc does inside (forkpty).
#pragma once

// Registers the fork handlers, once: before those of any other module, before the first thread is
// made, and before the first fork.
void fork_start(void);

// Registers the parent handler that tells forks of no wrapper: late, when other modules have
// registered theirs, so that it runs when their locks are free again. Before the first thread is
// made.
void fork_late_start(void);

// A module registers fork handlers. From the wrapper of what it calls for that.
void fork_handlers(void (*prepare)(void), void (*parent)(void), void (*child)(void));
