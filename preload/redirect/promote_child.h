// A borrowed child becomes a process of its own, while it runs: it calls libc's fork(), so that
// fork handlers run and libc's locks are right; the copy goes on where the child was, and is made a
// child of the parent when the borrowed child ends, which nobody is told of.
#pragma once

enum real_how {
  REAL_WHOLE,
  REAL_MEMORY_ONLY,  // by _Fork(): in a signal handler, where the child may hold locks of libc
};

// In a borrowed child, on its stack: returns in the process of its own, with errno unchanged. Does
// nothing elsewhere. `reason`: what it did. If no process can be had, fork() fails in the
// parent, and the child ends.
void become_real(const char *reason, enum real_how how);
