#include "procfs.h"
#include "base/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int
procfs_open(pid_t pid, pid_t tid, const char *name)
{
  char path[128];
  if (tid)
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
  else
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

char *
procfs_read(pid_t pid, pid_t tid, const char *name)
{
  int fd = procfs_open(pid, tid, name);
  if (fd < 0)
    return NULL;
  size_t used = 0, size = 1024;
  char *text = xrealloc(NULL, size);
  ssize_t n;
  while ((n = read(fd, text + used, size - used - 1)) > 0) {
    used += (size_t)n;
    if (size - used < 512)
      text = xrealloc(text, size *= 2);
  }
  close(fd);
  if (n < 0) {
    free(text);
    return NULL;
  }
  text[used] = 0;
  return text;
}

// What follows "NAME:" in the text of a status file, or NULL.
static const char *
field(const char *text, const char *name)
{
  size_t length = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (!strncmp(line, name, length) && line[length] == ':')
      return line + length + 1;
  }
  return NULL;
}

char *
procfs_name(pid_t pid, pid_t tid)
{
  char *name = procfs_read(pid, tid, "comm");
  if (name)
    name[strcspn(name, "\n")] = 0;
  char *safe = escaped(name);
  free(name);
  return safe;
}

char *
procfs_exe(pid_t pid)
{
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
  ssize_t n = readlink(link, path, sizeof path - 1);
  path[n > 0 ? n : 0] = 0;
  return escaped(path);
}

unsigned long long
procfs_status(pid_t pid, pid_t tid, const char *name, int base)
{
  char *text = procfs_read(pid, tid, "status");
  const char *value = field(text, name);
  unsigned long long number = value ? strtoull(value, NULL, base) : 0;
  free(text);
  return number;
}

bool
procfs_sleeps(pid_t pid, pid_t tid, unsigned long long *switches)
{
  char *text = procfs_read(pid, tid, "status");
  const char *state = field(text, "State"), *willing = field(text, "voluntary_ctxt_switches"),
             *forced = field(text, "nonvoluntary_ctxt_switches");
  bool sleeps = state && willing && forced && state[strspn(state, " \t")] == 'S';
  if (sleeps)
    *switches = strtoull(willing, NULL, 10) + strtoull(forced, NULL, 10);
  free(text);
  return sleeps;
}

char
procfs_state(pid_t pid, pid_t tid)
{
  char *text = procfs_read(pid, tid, "status");
  const char *state = field(text, "State");
  char letter = 0;
  if (state)
    letter = state[strspn(state, " \t")];
  free(text);
  return letter;
}

// For each timer the lines "signal: NUMBER/ADDRESS" and "notify: HOW/WHOM", where HOW is "signal"
// unless none is sent (proc(5), "timers").
unsigned long long
procfs_timer_signals(pid_t pid)
{
  unsigned long long signals = 0;
  unsigned number = 0;
  char how[8];
  char *text = procfs_read(pid, 0, "timers");
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (sscanf(line, "signal: %u", &number) == 1 || sscanf(line, "notify: %7[a-z]", how) != 1)
      continue;
    if (number >= 1 && number <= 64 && !strcmp(how, "signal"))
      signals |= 1ull << (number - 1);
  }
  free(text);
  return signals;
}

// The first two numbers of "schedstat": run, and waited in the run queue (Linux:
// Documentation/scheduler/sched-stats.rst).
static bool
task_runnable_ns(pid_t pid, pid_t tid, unsigned long long *ns)
{
  unsigned long long ran, waited;
  char *text = procfs_read(pid, tid, "schedstat");
  bool found = text && sscanf(text, "%llu %llu", &ran, &waited) == 2;
  if (found)
    *ns = ran + waited;
  free(text);
  return found;
}

bool
procfs_runnable_ns(pid_t pid, unsigned long long *ns)
{
  return task_runnable_ns(pid, pid, ns);
}

unsigned long long
procfs_others_runnable_ns(pid_t pid, pid_t tid)
{
  pid_t *tids;
  unsigned long long sum = 0, ns;
  size_t count = procfs_tasks(pid, &tids);
  for (size_t i = 0; i < count; i++)
    if (tids[i] != tid && task_runnable_ns(pid, tids[i], &ns))
      sum += ns;
  free(tids);
  return sum;
}

size_t
procfs_task_count(pid_t pid)
{
  char path[64];
  struct stat status;
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  return stat(path, &status) == 0 && status.st_nlink > 2 ? status.st_nlink - 2 : 0;
}

bool
procfs_stat(pid_t pid, char *state, unsigned long long *start)
{
  char *text = procfs_read(pid, 0, "stat");
  const char *after = text ? strrchr(text, ')') : NULL;
  bool found = after && sscanf(after + 1,
                               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %*d %*d %llu",
                               state, start) == 2;
  free(text);
  return found;
}

// The ninth field of "stat", flags (Linux: include/linux/sched.h): one that exits has given up its
// memory, though its state may say that it runs.
bool
procfs_is_ending(pid_t pid)
{
  enum { EXITING = 0x4 };
  unsigned flags;
  char *text = procfs_read(pid, 0, "stat");
  const char *after = text ? strrchr(text, ')') : NULL;
  bool ending =
      !after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & EXITING;
  free(text);
  return ending;
}

bool
procfs_lives(pid_t pid, char state)
{
  return state != 'X' && (state != 'Z' || procfs_task_count(pid) > 1);
}

// The numbers among the names in a directory.
static size_t
list_numbers(const char *path, pid_t **list)
{
  size_t count = 0;
  *list = NULL;
  DIR *directory = opendir(path);
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    pid_t number = (pid_t)strtol(entry->d_name, NULL, 10);
    if (number <= 0)
      continue;
    *list = xrealloc(*list, (count + 1) * sizeof **list);
    (*list)[count++] = number;
  }
  if (directory)
    closedir(directory);
  return count;
}

size_t
procfs_tasks(pid_t pid, pid_t **tids)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  return list_numbers(path, tids);
}

// Those behind "NSpid:" (proc(5)).
static size_t
read_numbers(const char *status, pid_t *numbers, size_t most)
{
  const char *at = field(status, "NSpid");
  size_t count = 0;
  char *end;
  while (at && count < most) {
    long number = strtol(at, &end, 10);
    if (end == at || memchr(at, '\n', (size_t)(end - at)))
      break;
    numbers[count++] = (pid_t)number;
    at = end;
  }
  return count;
}

size_t
procfs_numbers(pid_t pid, pid_t *numbers, size_t most, pid_t *parent)
{
  char *text = procfs_read(pid, 0, "status");
  const char *value = field(text, "PPid");
  size_t count = read_numbers(text, numbers, most);
  *parent = value ? (pid_t)strtol(value, NULL, 10) : 0;
  free(text);
  return count;
}

pid_t
procfs_own_tid(pid_t pid, pid_t tid)
{
  enum { DEEPEST = 40 };  // 32 in Linux: include/linux/pid_namespace.h
  pid_t numbers[DEEPEST];
  char *text = procfs_read(pid, tid, "status");
  size_t count = read_numbers(text, numbers, DEEPEST);
  free(text);
  return count ? numbers[count - 1] : 0;
}

pid_t
procfs_task_called(pid_t pid, pid_t tid)
{
  pid_t *tids, found = 0;
  bool ours = procfs_own_tid(pid, pid) == pid;
  size_t count = procfs_tasks(pid, &tids);
  for (size_t i = 0; i < count && !found; i++)
    found = (ours ? tids[i] : procfs_own_tid(pid, tids[i])) == tid ? tids[i] : 0;
  free(tids);
  return found;
}

size_t
procfs_processes(pid_t **pids)
{
  return list_numbers("/proc", pids);
}

bool
procfs_is_own(void)
{
  char link[24], self[24];
  ssize_t n = readlink("/proc/self", link, sizeof link - 1);
  link[n > 0 ? n : 0] = 0;
  snprintf(self, sizeof self, "%d", (int)getpid());
  return !strcmp(link, self);
}

// The process where the way up ends: `root`, the first of its PID namespace, or one that cannot be
// read.
static pid_t
walk_up(pid_t pid, pid_t root)
{
  for (pid_t parent; pid != root; pid = parent) {
    parent = (pid_t)procfs_status(pid, 0, "PPid", 10);
    if (parent <= 0)
      break;
  }
  return pid;
}

bool
procfs_is_below(pid_t pid, pid_t root)
{
  char state;
  unsigned long long start;
  // One on the way may be reaped meanwhile: then its children have another parent.
  for (int tries = 0; tries < 5; tries++) {
    pid_t top = walk_up(pid, root);
    if (top == root)
      return true;
    if (top == pid || procfs_stat(top, &state, &start))
      return false;
  }
  return false;
}

bool
procfs_mapping(pid_t pid, uint64_t address, struct mapping *mapping)
{
  char *text = procfs_read(pid, 0, "maps");
  bool found = false;
  for (const char *line = text; line && *line && !found;) {
    unsigned long start, end, offset;
    char permissions[5];
    mapping->path[0] = 0;
    int fields = sscanf(line, "%lx-%lx %4s %lx %*s %*u%*[ ]%255[^\n]", &start, &end, permissions,
                        &offset, mapping->path);
    if (fields >= 4 && address >= start && address < end) {
      mapping->start = start;
      mapping->end = end;
      mapping->offset = offset;
      mapping->shared = permissions[3] == 's';
      mapping->writable = permissions[1] == 'w';
      found = true;
    }
    line = strchr(line, '\n');
    line += line != NULL;
  }
  free(text);
  return found;
}

bool
procfs_memory(pid_t pid, uint64_t address, void *to, size_t length)
{
  // cppcheck-suppress ctuuninitvar ; the kernel writes it
  struct iovec local = {to, length}, remote = {(void *)(uintptr_t)address, length};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}
