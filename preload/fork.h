// fork-like calls become fork events. Two nets: the interposed symbols, and fork handlers for the
// forks that libc does inside (forkpty).
#pragma once

// Registers the fork handlers, before those of any other module. From the constructor.
void fork_start(void);
