#include "process/ptrace_step.h"

#include "base/clock.h"
#include "process/procfs.h"
#include "prove/spin.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

static int told[2];  // a pipe

static void
on_signal(int number)
{
  char byte = (char)number;
  (void)!write(told[1], &byte, 1);
}

// Busy without a system call, or asleep in one; with a handler of SIGUSR1.
static pid_t
start(bool busy)
{
  cr_assert(pipe(told) == 0);
  pid_t child = fork();
  cr_assert(child >= 0);
  if (child == 0) {
    static volatile long turns;
    signal(SIGUSR1, on_signal);
    on_signal(SIGCONT);
    for (;;) {
      turns = turns + 1;
      if (!busy)
        sleep(3600);
    }
  }
  char ready;
  cr_assert(read(told[0], &ready, 1) == 1);
  return child;
}

static void
end(pid_t child)
{
  int status;
  kill(child, SIGKILL);
  cr_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  cr_assert_eq(WTERMSIG(status), SIGKILL);
}

static void
expect_signal(void)
{
  char number = 0;
  cr_assert(read(told[0], &number, 1) == 1);
  cr_assert_eq(number, SIGUSR1);
}

Test(tracer, steps_and_lets_go)
{
  struct tracer tracer;
  pid_t child = start(true);
  cr_assert(tracer_stop(&tracer, child));
  for (int i = 0; i < 100; i++)
    cr_assert(tracer_step(&tracer));
  tracer_let_go(&tracer);
  kill(child, SIGUSR1);
  expect_signal();
  end(child);
}

Test(tracer, passes_on_a_signal)
{
  struct tracer tracer;
  pid_t child = start(true);
  cr_assert(tracer_stop(&tracer, child));
  kill(child, SIGUSR1);
  cr_assert_not(tracer_step(&tracer));
  tracer_let_go(&tracer);
  expect_signal();
  end(child);
}

Test(tracer, ends_a_step_that_takes_too_long, .timeout = 60)
{
  for (int i = 0; i < 20; i++) {
    struct tracer tracer;
    pid_t child = start(true);
    cr_assert(tracer_stop(&tracer, child));
    tracer.deadline_ns = 0;
    kill(child, SIGUSR1);
    cr_assert_not(tracer_step(&tracer));
    tracer_let_go(&tracer);
    expect_signal();
    end(child);
  }
}

Test(tracer, leaves_a_stopped_process_stopped, .timeout = 60)
{
  struct tracer tracer;
  int status;
  pid_t child = start(true);
  kill(child, SIGSTOP);
  cr_assert(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  cr_assert(tracer_stop(&tracer, child));
  cr_assert_not(tracer_step(&tracer));
  tracer_let_go(&tracer);
  char state = 0;
  unsigned long long began;
  while (state != 'T')
    cr_assert(procfs_stat(child, &state, &began));
  kill(child, SIGUSR1);
  kill(child, SIGCONT);
  expect_signal();
  end(child);
}

// The step would be as long as the call.
Test(spin, does_not_step_into_a_call, .timeout = 60)
{
  struct spin spin;
  pid_t child = start(false);
  usleep(100000);
  long long begin = clock_ns(CLOCK_MONOTONIC);
  cr_assert_not(spin_examine(child, &spin));
  cr_assert_lt(clock_ns(CLOCK_MONOTONIC) - begin, 5000000000LL);
  end(child);
}
