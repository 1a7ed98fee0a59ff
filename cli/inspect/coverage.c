#include "coverage.h"
#include "process/procfs.h"
#include "base/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const long long MOST_NS = 40000000;

// False: it cannot be looked at, or has ended.
static bool
program_of(pid_t pid, struct program *program)
{
  char path[64];
  struct stat status;
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  if (stat(path, &status))
    return false;
  *program = (struct program){status.st_dev, status.st_ino};
  return true;
}

void
coverage_init(struct coverage *coverage, const char *library)
{
  *coverage = (struct coverage){.library = base_name(library), .interval_ns = COVERAGE_FIRST_NS};
  program_of(getpid(), &coverage->own);
}

// Whether a line of the maps names a file that is called so, deleted or not.
static bool
maps_name(const char *maps, const char *name)
{
  size_t length = strlen(name);
  for (const char *at = maps; (at = strstr(at, name)); at += length) {
    const char *after = at + length;
    if (at > maps && at[-1] == '/' &&
        (!*after || *after == '\n' || !strncmp(after, " (deleted)", 10)))
      return true;
  }
  return false;
}

enum loaded
coverage_of_maps(const char *maps, const char *library)
{
  if (maps_name(maps, library))
    return LOADED_LIBRARY;
  return maps_name(maps, "libc.so.6") ? LOADED_WITHOUT : LOADED_NOT_YET;
}

static bool
same_program(const struct program *a, const struct program *b)
{
  return a->device == b->device && a->inode == b->inode;
}

static void
tell(const struct coverage *coverage, pid_t pid)
{
  char *exe = procfs_exe(pid);
  if (*exe)
    coverage->found(coverage->context, exe);
  free(exe);
}

static void
look_at(struct coverage *coverage, struct covered *covered)
{
  struct program program;
  if (!program_of(covered->pid, &program) || same_program(&program, &coverage->own))
    return;
  if (!same_program(&covered->program, &program)) {
    covered->program = program;
    covered->judged = false;
    coverage->interval_ns = COVERAGE_FIRST_NS;
  }
  char *maps = covered->judged ? NULL : procfs_read(covered->pid, 0, "maps");
  if (!maps)
    return;
  enum loaded loaded = coverage_of_maps(maps, coverage->library);
  free(maps);
  covered->judged = loaded != LOADED_NOT_YET;
  if (loaded == LOADED_WITHOUT)
    tell(coverage, covered->pid);
}

static int
by_number(const void *a, const void *b)
{
  const pid_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

// Where a process belongs is asked once: the list costs little where few are new.
static void
update(struct coverage *coverage)
{
  pid_t *pids, self = getpid();
  size_t count = procfs_processes(&pids), old = 0;
  struct covered *list = xrealloc(NULL, (count + 1) * sizeof *list);
  if (count)
    qsort(pids, count, sizeof *pids, by_number);
  for (size_t i = 0; i < count; i++) {
    while (old < coverage->count && coverage->list[old].pid < pids[i])
      old++;
    if (old < coverage->count && coverage->list[old].pid == pids[i])
      list[i] = coverage->list[old];
    else
      list[i] = (struct covered){.pid = pids[i],
                                 .below = pids[i] != self && procfs_is_below(pids[i], self)};
  }
  free(pids);
  free(coverage->list);
  coverage->list = list;
  coverage->count = count;
}

long long
coverage_tick(struct coverage *coverage)
{
  if (!procfs_is_own())
    return MOST_NS;
  update(coverage);
  for (size_t i = 0; i < coverage->count; i++)
    if (coverage->list[i].below)
      look_at(coverage, &coverage->list[i]);
  long long wait = coverage->interval_ns;
  if (wait < MOST_NS)
    coverage->interval_ns *= 2;
  return wait;
}

void
coverage_free(struct coverage *coverage)
{
  free(coverage->list);
}
