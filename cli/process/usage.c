#include "usage.h"
#include "procfs.h"
#include "base/message.h"
#include "process_tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_TICKS = 2 };

// proc(5): utime and stime are fields 14 and 15 of stat, wchar is a line of io.
static bool
read_usage(pid_t pid, struct usage *usage)
{
  unsigned long long user, kernel;
  char *stat = procfs_read(pid, 0, "stat"), *io = procfs_read(pid, 0, "io");
  const char *after = stat ? strrchr(stat, ')') : NULL, *line = io ? strstr(io, "wchar: ") : NULL;
  bool there = after && sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                               &user, &kernel) == 2;
  if (there)
    *usage = (struct usage){
        .pid = pid, .ticks = user + kernel, .written = line ? strtoull(line + 7, NULL, 10) : 0};
  free(stat);
  free(io);
  return there;
}

size_t
usage_of_tree(struct usage **list, const pid_t *left_out, size_t left_out_count)
{
  pid_t *pids;
  size_t count = tree_list(&pids), used = 0;
  *list = xrealloc(NULL, (count + 1) * sizeof **list);
  for (size_t i = 0; i < count; i++) {
    bool out = false;
    for (size_t k = 0; k < left_out_count; k++)
      out |= pids[i] == left_out[k];
    used += !out && read_usage(pids[i], &(*list)[used]);
  }
  free(pids);
  return used;
}

static const struct usage *
usage_of(const struct usage *list, size_t count, pid_t pid)
{
  for (size_t i = 0; i < count; i++)
    if (list[i].pid == pid)
      return &list[i];
  return NULL;
}

bool
usage_has_new(const struct usage *then, size_t then_count, const struct usage *now,
              size_t now_count)
{
  for (size_t i = 0; i < now_count; i++)
    if (!usage_of(then, then_count, now[i].pid))
      return true;
  return false;
}

bool
usage_grew(const struct usage *then, size_t then_count, const struct usage *now, size_t now_count,
           long long elapsed_ns)
{
  unsigned long long ticks = 0, written = 0;
  unsigned long long least =
      (unsigned long long)elapsed_ns / 100 * (unsigned long long)sysconf(_SC_CLK_TCK) / 1000000000;
  for (size_t k = 0; k < now_count; k++) {
    const struct usage *before = usage_of(then, then_count, now[k].pid);
    if (!before)
      continue;
    ticks += now[k].ticks > before->ticks ? now[k].ticks - before->ticks : 0;
    written += now[k].written > before->written ? now[k].written - before->written : 0;
  }
  return written > 0 || ticks >= (least > LEAST_TICKS ? least : LEAST_TICKS);
}
