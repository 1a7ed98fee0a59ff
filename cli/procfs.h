/* What /proc says of another process. Every function returns false, or a neutral value, for a
   process that has gone meanwhile. */
#ifndef FORKHOUND_PROCFS_H
#define FORKHOUND_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The content of /proc/PID/NAME (`tid` not 0: /proc/PID/task/TID/NAME), NUL-terminated, of any
   length; the caller frees it. NULL: not readable. */
char *procfs_read(pid_t pid, pid_t tid, const char *name);

/* The number behind "NAME:" in the status file, in the base given; 0 if it is not there. */
unsigned long long procfs_status(pid_t pid, pid_t tid, const char *name, int base);

/* State letter and start time (clock ticks since boot) of a process, which tell a pid from a reused
   one. */
bool procfs_stat(pid_t pid, char *state, unsigned long long *start);

/* The tasks of a process; the caller frees *tids. Returns their number. */
size_t procfs_tasks(pid_t pid, pid_t **tids);

/* Every process; the caller frees *pids. Returns their number. */
size_t procfs_processes(pid_t **pids);

/* The mapping that holds the address. */
struct mapping {
  uint64_t start, end, offset;
  bool shared; /* MAP_SHARED: other processes may write it */
  char path[256];
};
bool procfs_mapping(pid_t pid, uint64_t address, struct mapping *mapping);

/* Copies memory of the process; false unless all of it could be read. */
bool procfs_memory(pid_t pid, uint64_t address, void *to, size_t length);

#endif
