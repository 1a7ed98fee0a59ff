/* Without what only Linux has: if the command is killed with SIGKILL, the directory stays. */
#include "rundir.h"
#include "text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory, *events, *link_name;

int
rundir_make(bool learns)
{
  (void)learns; /* not on this system */
  const char *parent = getenv("TMPDIR");
  char *absolute = realpath(parent && *parent ? parent : "/tmp", NULL);
  if (!absolute)
    die("%s: %m", parent && *parent ? parent : "/tmp");
  /* The library looks whether we live. */
  directory =
      xasprintf("%s/forkhound-%d-XXXXXX", strcmp(absolute, "/") ? absolute : "", (int)getpid());
  free(absolute);
  if (!mkdtemp(directory))
    die("%s: %m", directory);
  on_die(rundir_remove);
  if (chmod(directory, 0711))
    die("%s: %m", directory);
  events = xasprintf("%s/events", directory);
  int fd = open(events, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fchmod(fd, 0622))
    die("%s: %m", events);
  link_name = xasprintf("%s/libforkhound.dylib", directory);
  return fd;
}

const char *
rundir_events(void)
{
  return events;
}

/* dyld knows no way to quote a colon. */
char *
rundir_preloadable(const char *library)
{
  if (!strchr(library, ':'))
    return xstrdup(library);
  if (strchr(link_name, ':'))
    die("neither %s nor %s can be named in DYLD_INSERT_LIBRARIES: set TMPDIR to a path without "
        "colon",
        library, directory);
  if (symlink(library, link_name))
    die("%s: %m", link_name);
  return xstrdup(link_name);
}

void
rundir_remove(void)
{
  if (!directory)
    return;
  if (events)
    unlink(events);
  if (link_name)
    unlink(link_name);
  rmdir(directory);
  directory = NULL;
}
