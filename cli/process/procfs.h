// What /proc says of another process. Every function returns false, or a neutral value, for a
// process that has gone meanwhile.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The content of /proc/PID/NAME (`tid` not 0: /proc/PID/task/TID/NAME), NUL-terminated, of any
// length; the caller frees it. NULL: not readable.
char *procfs_read(pid_t pid, pid_t tid, const char *name);

// The same file, open for reading, or -1. An open file stays that of the process it was opened for:
// it does not become that of another process with the same pid.
int procfs_open(pid_t pid, pid_t tid, const char *name);

// The name of a process (tid 0) or thread, and the path of the program, safe to print; "" where
// they cannot be read. The caller frees them.
char *procfs_name(pid_t pid, pid_t tid);
char *procfs_exe(pid_t pid);

// The number behind "NAME:" in the status file, in the base given; 0 if it is not there.
unsigned long long procfs_status(pid_t pid, pid_t tid, const char *name, int base);

// State letter and start time (clock ticks since boot) of a process, which tell a pid from a reused
// one.
bool procfs_stat(pid_t pid, char *state, unsigned long long *start);

// Whether a process in that state lives: one whose first thread has ended is a zombie by its state,
// but goes on as long as other threads do.
bool procfs_lives(pid_t pid, char state);

// The state letter of a task; 0: there is none.
char procfs_state(pid_t pid, pid_t tid);

// Whether the process has ended, or its first task does right now.
bool procfs_is_ending(pid_t pid);

// Whether the task sleeps (state S, not T), and how often it has given up or lost the processor.
bool procfs_sleeps(pid_t pid, pid_t tid, unsigned long long *switches);

// Nanoseconds that the first task of the process has run, or waited for a processor to run on.
bool procfs_runnable_ns(pid_t pid, unsigned long long *ns);

// The same of all tasks but one; those that cannot be read count nothing.
unsigned long long procfs_others_runnable_ns(pid_t pid, pid_t tid);

// Number of tasks; 0: no such process. Costs no more than one stat().
size_t procfs_task_count(pid_t pid);

// The tasks of a process; the caller frees *tids. Returns their number.
size_t procfs_tasks(pid_t pid, pid_t **tids);

// The task of the process that has this tid in the PID namespace of the process; 0: none.
pid_t procfs_task_called(pid_t pid, pid_t tid);

// The other way round: the tid that the task has in the PID namespace of the process; 0: none.
pid_t procfs_own_tid(pid_t pid, pid_t tid);

// The numbers of the process, at most `most`: one for each PID namespace from ours inwards; and its
// parent here. Returns how many there are.
size_t procfs_numbers(pid_t pid, pid_t *numbers, size_t most, pid_t *parent);

// Every process; the caller frees *pids. Returns their number.
size_t procfs_processes(pid_t **pids);

// The signals that timers made by timer_create() send, as a mask: bit 0 is signal 1.
unsigned long long procfs_timer_signals(pid_t pid);

// Whether /proc is there, and shows this process under its own pid.
bool procfs_is_own(void);

// Whether the process descends from `root`, or is it.
bool procfs_is_below(pid_t pid, pid_t root);

// The mapping that holds the address.
struct mapping {
  uint64_t start, end, offset;
  bool shared;  // MAP_SHARED: other processes may write it
  bool writable;
  char path[256];
};
bool procfs_mapping(pid_t pid, uint64_t address, struct mapping *mapping);

// Copies memory of the process; false unless all of it could be read.
bool procfs_memory(pid_t pid, uint64_t address, void *to, size_t length);
