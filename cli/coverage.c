#include "coverage.h"
#include "procfs.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const long long MOST_NS = 320000000;

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

// The entry of the process, made anew if it runs another program.
static struct covered *
find(struct coverage *coverage, pid_t pid, const struct program *program)
{
  struct covered *covered = NULL;
  for (size_t i = 0; i < coverage->count && !covered; i++)
    if (coverage->list[i].pid == pid)
      covered = &coverage->list[i];
  if (!covered) {
    coverage->list = xrealloc(coverage->list, (coverage->count + 1) * sizeof *coverage->list);
    covered = &coverage->list[coverage->count++];
    *covered = (struct covered){.pid = 0};
  }
  if (covered->pid != pid || !same_program(&covered->program, program)) {
    *covered = (struct covered){.pid = pid, .program = *program};
    coverage->interval_ns = COVERAGE_FIRST_NS;
  }
  covered->seen = true;
  return covered;
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
look_at(struct coverage *coverage, pid_t pid)
{
  struct program program;
  if (!program_of(pid, &program) || same_program(&program, &coverage->own))
    return;
  struct covered *covered = find(coverage, pid, &program);
  char *maps = covered->judged ? NULL : procfs_read(pid, 0, "maps");
  if (!maps)
    return;
  enum loaded loaded = coverage_of_maps(maps, coverage->library);
  free(maps);
  covered->judged = loaded != LOADED_NOT_YET;
  if (loaded == LOADED_WITHOUT)
    tell(coverage, pid);
}

static void
forget_gone(struct coverage *coverage)
{
  for (size_t i = coverage->count; i-- > 0;)
    if (!coverage->list[i].seen)
      coverage->list[i] = coverage->list[--coverage->count];
}

long long
coverage_tick(struct coverage *coverage, const pid_t *pids, size_t count)
{
  for (size_t i = 0; i < coverage->count; i++)
    coverage->list[i].seen = false;
  for (size_t i = 0; i < count; i++)
    look_at(coverage, pids[i]);
  forget_gone(coverage);
  long long wait = coverage->interval_ns;
  if (coverage->interval_ns < MOST_NS)
    coverage->interval_ns *= 2;
  return wait;
}

void
coverage_free(struct coverage *coverage)
{
  free(coverage->list);
}
