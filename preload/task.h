// /proc/PID/task read with raw system calls: usable between the fork handlers and with other
// threads stopped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Whether /proc is there and shows this process under its own pid: in a PID namespace without a
// /proc of its own the numbers there are other processes.
bool task_proc_is_ours(void);

// The path /proc/PID/task/TID/FILE (tid 0: /proc/PID/FILE); 80 bytes are enough.
void task_path(char *path, pid_t pid, pid_t tid, const char *file);

// Reads /proc/PID/task/TID/FILE (tid 0: /proc/PID/FILE) into buffer, NUL-terminated. Returns its
// length, or -errno.
long task_read(pid_t pid, pid_t tid, const char *file, char *buffer, size_t size);

// How many tasks the kernel shows, by the link count of /proc/PID/task; -errno without /proc.
long task_count(pid_t pid);

// Calls visit(tid, argument) for each task shown. Returns 0, or -errno.
long task_each(pid_t pid, void (*visit)(pid_t tid, void *argument), void *argument);

// True while the task lives: not a zombie, not dead, not on its way out (PF_EXITING).
bool task_alive(pid_t pid, pid_t tid);

// The system call a task sleeps in, from its "syscall" file (see proc(5)).
struct task_syscall {
  long number;  // -1: blocked outside a system call
  unsigned long arguments[6];
  unsigned long sp, pc;
};

// 1 when the task sleeps and *call was filled, 0 when it runs, -errno otherwise.
int task_syscall(pid_t pid, pid_t tid, struct task_syscall *call);
