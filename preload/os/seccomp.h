// What a seccomp filter lets us do. A filter may kill the process for a call the program never
// makes; so the filters that the program installs are read when it installs them, and asked before
// we call.
#pragma once

#include <stdbool.h>

struct sock_fprog;

// A filter will be installed: keeps a copy. Strict mode will be: nothing is allowed any more.
void guard_remember(const struct sock_fprog *program);
void guard_forbid(void);
// How many filters that were inherited are known to be harmless.
void guard_trust(int (*filters_known)(void));

// True once a filter was installed through libc in this process, or found in force by guard_look().
bool guard_filtered(void);

// Looks in /proc for what a process may have inherited over exec: a filter (it let the dynamic
// loader open and read files), or a tracer. Fills guard_traced().
void guard_look(void);

// As of the last guard_look().
bool guard_traced(void);

// Whether every filter seen allows the system call (with arguments 0). An inherited filter let the
// dynamic loader run, so it is taken to allow what that needs.
bool guard_allows(long number);

// Whether all that a look at /proc and a report need is allowed.
bool guard_allows_report(void);
