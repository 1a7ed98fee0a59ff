#include "rundir.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 8 };

static char *directory, *files[MOST_FILES];
static const char *events;

// Whoever may write events knows the name; nobody else can guess it.
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
    if (getentropy(random, sizeof random))
      die("getentropy: %m");
    char name[33];
    for (size_t i = 0; i < sizeof random; i++)
      snprintf(name + 2 * i, 3, "%02x", random[i]);
    // The library looks whether we live.
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

int
rundir_make(void)
{
  directory = make_directory();
  on_die(rundir_remove);
  if (chmod(directory, 0711))
    die("%s: %m", directory);
  events = rundir_file("events");
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

const char *
rundir_file(const char *name)
{
  size_t i = 0;
  while (i < MOST_FILES && files[i])
    i++;
  if (i == MOST_FILES)
    die("%s: no room for %s", directory, name);
  files[i] = xasprintf("%s/%s", directory, name);
  return files[i];
}

char *
rundir_nameable(const char *file, const char *separators, const char *list)
{
  if (!strpbrk(file, separators))
    return xstrdup(file);
  const char *name = rundir_file(base_name(file));
  if (strpbrk(name, separators))
    die("neither %s nor %s can be named in %s: set TMPDIR to a path without%s colon", file,
        directory, list, strchr(separators, ' ') ? " space and" : "");
  if (symlink(file, name))
    die("%s: %m", name);
  return xstrdup(name);
}

void
rundir_remove(void)
{
  if (!directory)
    return;
  for (size_t i = 0; i < MOST_FILES && files[i]; i++)
    unlink(files[i]);
  rmdir(directory);
  directory = NULL;
}
