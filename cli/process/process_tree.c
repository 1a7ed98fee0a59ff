#include "process_tree.h"
#include "base/own_process.h"
#include "procfs.h"
#include "base/message.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
  pid_t pid, parent;
  bool below, alive;
};

// State letter and parent of a process. False: there is none.
static bool
read_stat(pid_t pid, char *state, pid_t *parent)
{
  char name[64], line[1024];
  snprintf(name, sizeof name, "/proc/%ld/stat", (long)pid);
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  ssize_t n = read(fd, line, sizeof line - 1);
  close(fd);
  if (n <= 0)
    return false;
  line[n] = 0;
  const char *after = strrchr(line, ')');
  int number;
  if (!after || sscanf(after + 1, " %c %d", state, &number) != 2)
    return false;
  *parent = number;
  return true;
}

bool
process_alive(pid_t pid)
{
  char state;
  pid_t parent;
  return read_stat(pid, &state, &parent) && procfs_lives(pid, state);
}

static size_t
list_processes(struct process **list)
{
  size_t count = 0;
  DIR *proc = procfs_is_own() ? opendir("/proc") : NULL;
  if (!proc)
    return 0;
  struct dirent *entry;
  while ((entry = readdir(proc))) {
    if (!isdigit((unsigned char)entry->d_name[0]))
      continue;
    struct process process = {.pid = (pid_t)strtol(entry->d_name, NULL, 10)};
    char state;
    if (!read_stat(process.pid, &state, &process.parent))
      continue;
    process.alive = procfs_lives(process.pid, state);
    *list = xrealloc(*list, (count + 1) * sizeof **list);
    (*list)[count++] = process;
  }
  closedir(proc);
  return count;
}

static int
by_pid(const void *a, const void *b)
{
  const struct process *x = a, *y = b;
  return (x->pid > y->pid) - (x->pid < y->pid);
}

// Every process, those below this one marked.
static size_t
list_tree(struct process **list)
{
  size_t count = list_processes(list);
  pid_t self = getpid();
  if (count)
    qsort(*list, count, sizeof **list, by_pid);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < count; i++) {
      struct process *process = &(*list)[i], wanted = {.pid = process->parent};
      if (process->below)
        continue;
      const struct process *parent = bsearch(&wanted, *list, count, sizeof wanted, by_pid);
      if ((process->parent == self && !own_process_is(process->pid)) || (parent && parent->below))
        process->below = changed = true;
    }
  }
  return count;
}

size_t
tree_list(pid_t **pids)
{
  struct process *list = NULL;
  size_t count = list_tree(&list), used = 0;
  *pids = xrealloc(NULL, count * sizeof **pids + 1);
  for (size_t i = 0; i < count; i++)
    if (list[i].below && list[i].alive)
      (*pids)[used++] = list[i].pid;
  free(list);
  return used;
}

unsigned
tree_kill(int signal)
{
  struct process *list = NULL;
  size_t count = list_tree(&list);
  unsigned alive = 0;
  for (size_t i = 0; i < count; i++) {
    if (!list[i].below || !list[i].alive)
      continue;
    alive++;
    if (signal)
      kill(list[i].pid, signal);
  }
  free(list);
  return alive;
}
