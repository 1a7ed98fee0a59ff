// How the parent of a borrowed child waits for it, and what it answers.
#pragma once

#include <sys/types.h>

struct borrow;

// Until the child has exec'd, has ended, or has become a process of its own: sets b->result. Raw
// system calls, but for a report of a child that becomes real. All signals are blocked.
void borrow_wait_for(struct borrow *b, pid_t child);

// In a fork child.
void borrow_wait_forget(void);
