#include "rundir.h"
#include "filter_probe.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *directory, *events, *library_link, *python_link, *filters;

static char *
make_directory(void)
{
  const char *parent = getenv("TMPDIR");
  if (!parent || !*parent)
    parent = "/tmp";
  char *absolute = realpath(parent, NULL);
  if (!absolute)
    die("%s: %m", parent);
  for (;;) {
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
      die("getrandom: %m");
    char name[33];
    for (size_t i = 0; i < sizeof random; i++)
      sprintf(name + 2 * i, "%02x", random[i]);
    /* The library looks whether we live. */
    char *path =
        xasprintf("%s/forkhound-%d-%s", strcmp(absolute, "/") ? absolute : "", (int)getpid(), name);
    if (!mkdir(path, 0700)) {
      free(absolute);
      return path;
    }
    if (errno != EEXIST)
      die("%s: %m", path);
    free(path);
  }
}

/* Tells the library which seccomp filters it need not be afraid of. */
static void
note_filters(bool learns)
{
  int count = filter_probe(learns);
  if (!count)
    return;
  filters = xasprintf("%s/filters", directory);
  int fd = open(filters, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0 || dprintf(fd, "%d\n", count) < 0)
    message("%s: %m: stacks will be read from /proc", filters);
  if (fd >= 0)
    close(fd);
}

/* Waits for the end of the driver, however it comes, and clears up. */
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

/* A process that is no child of ours, so that nobody waits for it, or ends it with the rest. */
static void
start_tidying(void)
{
  int ends[2]; /* ours stays open as long as we live */
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

int
rundir_make(bool learns)
{
  directory = make_directory();
  on_die(rundir_remove);
  if (chmod(directory, 0711))
    die("%s: %m", directory);
  events = xasprintf("%s/events", directory);
  int fd = open(events, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fchmod(fd, 0622))
    die("%s: %m", events);
  library_link = xasprintf("%s/libforkhound.so", directory);
  python_link = xasprintf("%s/python", directory);
  note_filters(learns);
  start_tidying();
  return fd;
}

const char *
rundir_events(void)
{
  return events;
}

/* A path for `file` without any of `separators`, which the variable `list` cannot quote. */
static char *
nameable(const char *file, const char *separators, const char *list, const char *link)
{
  if (!strpbrk(file, separators))
    return xstrdup(file);
  if (strpbrk(link, separators))
    die("neither %s nor %s can be named in %s: set TMPDIR to a path without space and colon", file,
        directory, list);
  if (symlink(file, link))
    die("%s: %m", link);
  return xstrdup(link);
}

char *
rundir_preloadable(const char *library)
{
  return nameable(library, " :", "LD_PRELOAD", library_link);
}

char *
rundir_python(const char *folder)
{
  return nameable(folder, ":", "PYTHONPATH", python_link);
}

void
rundir_remove(void)
{
  if (!directory)
    return;
  if (events)
    unlink(events);
  if (library_link)
    unlink(library_link);
  if (python_link)
    unlink(python_link);
  if (filters)
    unlink(filters);
  rmdir(directory);
  directory = NULL;
}
