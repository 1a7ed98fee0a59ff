#include "filter_probe.h"
#include "rundir.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Tells the library which seccomp filters it need not be afraid of.
static void
note_filters(bool learns)
{
  int count = filter_probe(learns);
  if (!count)
    return;
  const char *filters = rundir_file("filters");
  int fd = open(filters, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0 || dprintf(fd, "%d\n", count) < 0)
    message("%s: %m: stacks will be read from /proc", filters);
  if (fd >= 0)
    close(fd);
}

// Waits for the end of the driver, however it comes, and clears up.
static _Noreturn void
keep_tidy(int driver_lives)
{
  sigset_t none;
  char byte;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_NAME, "forkhound-tidy");
  setsid();
  if (chdir("/") || dup2(driver_lives, 0) < 0 || close_range(1, ~0u, 0))
    _exit(1);
  while (read(0, &byte, 1) < 0 && errno == EINTR)
    continue;
  rundir_remove();
  _exit(0);
}

// A process that is no child of ours, so that nobody waits for it, or ends it with the rest.
static void
start_tidying(void)
{
  int ends[2];  // ours stays open as long as we live
  if (pipe2(ends, O_CLOEXEC))
    die("pipe: %m");
  pid_t child = fork();
  if (child < 0)
    die("fork: %m");
  if (!child) {
    close(ends[1]);
    child = fork();
    if (!child)
      keep_tidy(ends[0]);
    _exit(child < 0);
  }
  close(ends[0]);
  waitpid(child, NULL, 0);
}

void
rundir_keep(bool learns)
{
  note_filters(learns);
  start_tidying();
}
