// /proc/PID/task read with raw system calls: usable also with other threads stopped.
#pragma once

#include "os/task.h"

// Whether the next child of the calling thread will be in its PID namespace, and /proc says so.
bool task_children_stay(void);

// The path /proc/PID/task/TID/FILE (tid 0: /proc/PID/FILE); 80 bytes are enough.
void task_path(char *path, pid_t pid, pid_t tid, const char *file);

// Reads /proc/PID/task/TID/FILE (tid 0: /proc/PID/FILE) into buffer, NUL-terminated. Returns its
// length, or -errno.
long task_read(pid_t pid, pid_t tid, const char *file, char *buffer, size_t size);

// The system call a task sleeps in, from its "syscall" file (see proc(5)).
struct task_syscall {
  long number;  // -1: blocked outside a system call
  unsigned long arguments[6];
  unsigned long sp, pc;
};

// The folder of a process's tasks, for the many files of many tasks: a path from the root takes the
// kernel twice the time. A descriptor for descriptor_close(), or -errno.
long task_folder(pid_t pid);

// 1 when the task sleeps and *call was filled, 0 when it runs, -errno otherwise.
int task_syscall(long folder, pid_t tid, struct task_syscall *call);
