#include "process/procfs.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Test(procfs, a_process_that_sleeps_is_not_ending)
{
  pid_t child = fork();

  if (child == 0)
    for (;;)
      pause();
  cr_assert(!procfs_is_ending(child));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  cr_assert(procfs_is_ending(child));
}

Test(procfs, a_process_that_nobody_has_waited_for_is_ending)
{
  siginfo_t info;
  pid_t child = fork();

  if (child == 0)
    _exit(0);
  cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
  cr_assert(procfs_is_ending(child));
  waitpid(child, NULL, 0);
}
