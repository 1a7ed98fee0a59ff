#include "rundir.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory, *events, *link_name;

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
    char *path = xasprintf("%s/forkhound-%s", strcmp(absolute, "/") ? absolute : "", name);
    if (!mkdir(path, 0700)) {
      free(absolute);
      return path;
    }
    if (errno != EEXIST)
      die("%s: %m", path);
    free(path);
  }
}

int
rundir_make(void)
{
  directory = make_directory();
  on_die(rundir_remove);
  if (chmod(directory, 0711))
    die("%s: %m", directory);
  events = xasprintf("%s/events", directory);
  int fd = open(events, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fchmod(fd, 0622))
    die("%s: %m", events);
  return fd;
}

const char *
rundir_events(void)
{
  return events;
}

char *
rundir_preloadable(const char *library)
{
  if (!strpbrk(library, " :"))
    return xstrdup(library);
  link_name = xasprintf("%s/libforkhound.so", directory);
  if (strpbrk(link_name, " :"))
    die("neither %s nor %s can be named in LD_PRELOAD: set TMPDIR to a path without space and "
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
