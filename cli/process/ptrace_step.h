// Stepping through a task of another process.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct tracer {
  pid_t pid;
  int signal;  // that came meanwhile, to be delivered at the end
  bool stopped, stepped;
  bool halted;                      // by a signal: a step would let it run
  long long begin_ns, deadline_ns;  // CLOCK_MONOTONIC; gives up then
  sigset_t old_mask;
};

// Stops a task, without a signal. False: not permitted, gone, or it took too long; then there is
// nothing to let go. One that a signal has stopped stays so afterwards.
bool tracer_stop(struct tracer *tracer, pid_t tid);
// One instruction. False: a signal or an exec came, a signal has stopped it, or it took too long.
bool tracer_step(struct tracer *tracer);
// Time since the attempt to stop it.
long long tracer_age_ns(const struct tracer *tracer);
void tracer_let_go(struct tracer *tracer);

// A stop that came too late, as waitpid() reports it to the driver's loop: lets the task go.
void tracer_late_stop(pid_t pid, int status);
