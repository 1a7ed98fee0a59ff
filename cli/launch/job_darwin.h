// The command as a job on macOS. Nothing here but POSIX.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct job {
  int wake;  // readable when a signal has come
  pid_t command;
  bool ended;
  bool interrupted;  // by a signal, after the end of the command
  int status;        // of waitpid()
};

// From here on signals come by job->wake. Before the command is started. There is one job.
void job_take_signals(struct job *job);
// 0, or the errno of the exec that failed.
int job_start(struct job *job, char **command, char **environment);
// Gives the command the signals that have come.
void job_forward_signals(struct job *job);
// A process was reaped: the command, or another one.
void job_reaped(struct job *job, pid_t pid, int status);
