#include "run_directory.h"
#include "base/message.h"

#include <dirent.h>
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
void
rundir_choose(void)
{
  const char *parent = getenv("TMPDIR");
  if (!parent || !*parent)
    parent = "/tmp";
  char *absolute = realpath(parent, NULL);
  if (!absolute)
    die("%s: %m", parent);
  unsigned char random[16];
  if (getentropy(random, sizeof random))
    die("getentropy: %m");
  char name[33];
  for (size_t i = 0; i < sizeof random; i++)
    snprintf(name + 2 * i, 3, "%02x", random[i]);
  // The library looks whether we live.
  directory =
      xasprintf("%s/forkhound-%d-%s", strcmp(absolute, "/") ? absolute : "", (int)getpid(), name);
  free(absolute);
  on_die(rundir_remove);
}

int
rundir_make(void)
{
  if (mkdir(directory, 0700) || chmod(directory, 0711))
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
  DIR *entries = directory ? opendir(directory) : NULL;
  struct dirent *entry;
  while (entries && (entry = readdir(entries)))
    unlinkat(dirfd(entries), entry->d_name, 0);
  if (entries)
    closedir(entries);
  if (directory)
    rmdir(directory);
  directory = NULL;
}
