// The threads of this process as the kernel lists them. Usable between the fork handlers; no
// allocation, no locks of libc.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// No second thread was ever made. Costs a look at a flag.
bool task_single(void);

// Ids of threads: of the caller, and of the one that ran main().
pid_t task_self(void);
pid_t task_main(void);

// Whether the threads can be listed. Where not: on Linux /proc is not there, or in a PID namespace
// without a /proc of its own the numbers there are other processes.
bool task_can_list(void);

// How many tasks the kernel shows; -errno where it shows none.
long task_count(pid_t pid);

// Calls visit(tid, argument) for each task shown. Returns 0, or -errno.
long task_each(pid_t pid, void (*visit)(pid_t tid, void *argument), void *argument);

// True while the task lives: not a zombie, not dead, not on its way out.
bool task_alive(pid_t pid, pid_t tid);

// The name of a thread, "" where it has none; cut to `size`.
void task_name(pid_t pid, pid_t tid, char *name, size_t size);

// That of the caller, into 16 bytes.
void task_own_name(char *name);
