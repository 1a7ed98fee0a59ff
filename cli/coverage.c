#include "coverage.h"
#include "procfs.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const long long MOST_NS = 320000000;

void
coverage_init(struct coverage *coverage, const char *library)
{
  *coverage = (struct coverage){.library = base_name(library),
                                .own_exe = procfs_exe(getpid()),
                                .interval_ns = COVERAGE_FIRST_NS};
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

// The entry of the process, made anew if it runs another program.
static struct covered *
find(struct coverage *coverage, pid_t pid, char *exe)
{
  struct covered *covered = NULL;
  for (size_t i = 0; i < coverage->count && !covered; i++)
    if (coverage->list[i].pid == pid)
      covered = &coverage->list[i];
  if (covered && !strcmp(covered->exe, exe)) {
    free(exe);
    covered->seen = true;
    return covered;
  }
  if (covered) {
    free(covered->exe);
  } else {
    coverage->list = xrealloc(coverage->list, (coverage->count + 1) * sizeof *coverage->list);
    covered = &coverage->list[coverage->count++];
  }
  *covered = (struct covered){.pid = pid, .exe = exe, .seen = true};
  coverage->interval_ns = COVERAGE_FIRST_NS;
  return covered;
}

static void
look_at(struct coverage *coverage, pid_t pid)
{
  char *exe = procfs_exe(pid);
  if (!*exe || !strcmp(exe, coverage->own_exe)) {
    free(exe);
    return;
  }
  struct covered *covered = find(coverage, pid, exe);
  char *maps = covered->judged ? NULL : procfs_read(pid, 0, "maps");
  if (!maps)
    return;
  enum loaded loaded = coverage_of_maps(maps, coverage->library);
  free(maps);
  covered->judged = loaded != LOADED_NOT_YET;
  if (loaded == LOADED_WITHOUT)
    coverage->found(coverage->context, covered->exe);
}

static void
forget_gone(struct coverage *coverage)
{
  for (size_t i = coverage->count; i-- > 0;) {
    if (coverage->list[i].seen)
      continue;
    free(coverage->list[i].exe);
    coverage->list[i] = coverage->list[--coverage->count];
  }
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
  for (size_t i = 0; i < coverage->count; i++)
    free(coverage->list[i].exe);
  free(coverage->list);
  free(coverage->own_exe);
}
