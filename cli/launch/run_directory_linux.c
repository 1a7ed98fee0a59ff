#include "filter_probe.h"
#include "base/own_process.h"
#include "run_directory.h"
#include "base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void
rundir_note_filters(bool learns)
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

static pid_t tidying;
static int alive = -1;  // open as long as we live

// Waits for the end of the driver, however it comes, and clears up.
static _Noreturn void
keep_tidy(int driver_lives)
{
  char byte;
  own_process_settle("forkhound-tidy", driver_lives);
  while (read(0, &byte, 1) < 0 && errno == EINTR)
    continue;
  rundir_remove();
  _exit(0);
}

void
rundir_keep(void)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC))
    die("pipe: %m");
  tidying = own_process_fork();
  if (tidying < 0)
    die("fork: %m");
  if (!tidying)
    keep_tidy(ends[0]);
  close(ends[0]);
  alive = ends[1];
  on_die(rundir_end);
}

// To wait for it is not needed for what it does, but where nobody else reaps it.
void
rundir_end(void)
{
  close(alive);
  own_process_wait(tidying);
}
