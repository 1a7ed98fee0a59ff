// The command as a job: its signals, stops and end are those it would have without us.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct job {
  int signals;  // signalfd
  pid_t command;
  bool ended;
  bool childless;      // nothing is left below us
  bool interrupted;    // by a signal, after the end of the command
  int status;          // of waitpid()
  bool stopped;        // the command is
  bool asked_to_stop;  // by the terminal, most often: the command decides
  sigset_t old_mask;
  struct sigaction old_child, old_pipe;
};

// From here on signals come by job->signals. Before the command is started.
void job_take_signals(struct job *job);
// In the child that becomes the command.
void job_give_back_signals(const struct job *job);
// Forwards the signals that have come, reaps what has ended, and stops where the command has.
void job_handle_signals(struct job *job);
