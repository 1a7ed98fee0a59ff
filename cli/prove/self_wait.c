#include "self_wait.h"
#include "process/procfs.h"
#include "process/unix_peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

// What another end looks like, as a descriptor of some process.
struct end {
  char link[64];  // what /proc/PID/fd/N links to
  int access;     // O_WRONLY: it is open for that; -1: for anything
  unsigned long eventfd;
};

static bool
add(struct own_end *result, int fd)
{
  if (result->count == OWN_END_MOST)
    return false;
  result->fds[result->count++] = fd;
  return true;
}

static bool
add_polled(pid_t pid, const struct task_wait *task, struct own_end *result)
{
  struct pollfd fds[OWN_END_MOST];
  size_t count = task->arguments[1];
  if (count > OWN_END_MOST || !procfs_memory(pid, task->arguments[0], fds, count * sizeof *fds))
    return false;
  for (size_t i = 0; i < count; i++)
    if (fds[i].fd >= 0 &&
        (!(fds[i].events & POLLIN) || (fds[i].events & POLLOUT) || !add(result, fds[i].fd)))
      return false;
  return true;
}

static bool
add_selected(pid_t pid, const struct task_wait *task, struct own_end *result)
{
  fd_set set;
  int limit = (int)task->arguments[0];
  if (limit < 0 || limit > FD_SETSIZE)
    return false;
  // The kernel reads and writes whole longs of the sets.
  size_t size = ((size_t)limit + 63) / 64 * 8;
  if (task->arguments[2] || !procfs_memory(pid, task->arguments[1], &set, size))
    return false;
  for (int fd = 0; fd < limit; fd++)
    if (FD_ISSET(fd, &set) && !add(result, fd))
      return false;
  return true;
}

static char *
descriptor_info(pid_t pid, int fd)
{
  char name[32];
  snprintf(name, sizeof name, "fdinfo/%d", fd);
  return procfs_read(pid, 0, name);
}

// Lines "tfd: N events: MASK ..." (proc(5), fdinfo).
static bool
add_of_epoll(pid_t pid, const struct task_wait *task, struct own_end *result)
{
  char *text = descriptor_info(pid, (int)task->arguments[0]);
  bool good = text != NULL;
  for (const char *line = text; line && good; line = strchr(line, '\n')) {
    int fd;
    unsigned events;
    line += *line == '\n';
    if (sscanf(line, "tfd: %d events: %x", &fd, &events) == 2)
      good = (events & EPOLLIN) && !(events & EPOLLOUT) && add(result, fd);
  }
  free(text);
  return good;
}

static bool
list_descriptors(pid_t pid, const struct task_wait *task, struct own_end *result)
{
  switch (task->number) {
  case SYS_poll:
  case SYS_ppoll: return add_polled(pid, task, result);
  case SYS_select:
  case SYS_pselect6: return add_selected(pid, task, result);
  case SYS_epoll_wait:
  case SYS_epoll_pwait: return add_of_epoll(pid, task, result);
  default: return add(result, (int)task->arguments[0]);
  }
}

static bool
read_link(pid_t pid, const char *name, char link[64])
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%.20s", (int)pid, name);
  ssize_t n = readlink(path, link, 63);
  link[n > 0 ? n : 0] = 0;
  return n > 0 && n < 63;
}

static bool
number_after(const char *text, const char *label, int base, unsigned long *number)
{
  const char *at = text ? strstr(text, label) : NULL;
  if (at)
    *number = strtoul(at + strlen(label), NULL, base);
  return at != NULL;
}

// Which end could end the wait for this descriptor? False: it cannot be told, or others can.
static bool
other_end(pid_t pid, int fd, bool transfers, struct end *end, const char **kind)
{
  char name[16];
  snprintf(name, sizeof name, "%d", fd);
  end->access = -1;
  end->eventfd = 0;
  if (!read_link(pid, name, end->link))
    return false;
  if (!strncmp(end->link, "pipe:[", 6)) {
    *kind = "pipe";
    end->access = O_WRONLY;
    return true;
  }
  if (!strcmp(end->link, "anon_inode:[eventfd]")) {
    char *info = descriptor_info(pid, fd);
    bool known = number_after(info, "eventfd-id:", 10, &end->eventfd);
    free(info);
    *kind = "eventfd";
    return known;
  }
  unsigned peer;
  if (sscanf(end->link, "socket:[%u]", &peer) != 1 || !unix_peer(peer, &peer) ||
      (transfers && socket_has_timeout(pid, fd)))
    return false;
  snprintf(end->link, sizeof end->link, "socket:[%u]", peer);
  *kind = "socketpair";
  return true;
}

static bool
is_end(pid_t pid, const char *fd, const struct end *end)
{
  char link[64], name[32];
  if (!read_link(pid, fd, link) || strcmp(link, end->link) != 0)
    return false;
  if (end->access < 0 && !end->eventfd)
    return true;
  snprintf(name, sizeof name, "fdinfo/%.20s", fd);
  char *info = procfs_read(pid, 0, name);
  unsigned long value;
  bool is;
  if (end->eventfd)
    is = number_after(info, "eventfd-id:", 10, &value) && value == end->eventfd;
  else
    is = !number_after(info, "flags:", 8, &value) || (value & O_ACCMODE) == O_RDWR ||
         (int)(value & O_ACCMODE) == end->access;
  free(info);
  return is;
}

enum answer { NO, YES, UNKNOWN };

// Whether the process has one of the ends.
static enum answer
has_end(pid_t pid, const struct end *ends, size_t count)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  DIR *directory = opendir(path);
  if (!directory)
    return errno == ENOENT || errno == ESRCH ? NO : UNKNOWN;
  enum answer answer = NO;
  struct dirent *entry;
  while (answer == NO && (entry = readdir(directory)))
    for (size_t i = 0; i < count && answer == NO && *entry->d_name != '.'; i++)
      answer = is_end(pid, entry->d_name, &ends[i]) ? YES : NO;
  closedir(directory);
  return answer;
}

static bool
may_have_inherited(pid_t pid, const struct relatives *relatives)
{
  char state;
  unsigned long long start;
  return procfs_stat(pid, &state, &start) && procfs_lives(pid, state) &&
         start >= relatives->since && (!relatives->root || procfs_is_below(pid, relatives->root));
}

static bool
any_other_has(pid_t self, const struct end *ends, size_t count, const struct relatives *relatives,
              pid_t *holder)
{
  pid_t *pids;
  bool found = *holder && *holder != self && has_end(*holder, ends, count) == YES;
  if (found)
    return true;
  size_t processes = procfs_processes(&pids);
  for (size_t i = 0; i < processes && !found; i++) {
    if (pids[i] == self)
      continue;
    enum answer answer = has_end(pids[i], ends, count);
    found = answer == YES || (answer == UNKNOWN && may_have_inherited(pids[i], relatives));
    if (answer == YES)
      *holder = pids[i];
  }
  free(pids);
  return found;
}

bool
own_end_examine(pid_t pid, const struct wait_state *state, const struct relatives *relatives,
                pid_t *holder, struct own_end *result)
{
  struct end ends[OWN_END_MOST];
  const struct task_wait *task = &state->tasks[0];
  *result = (struct own_end){0};
  if (!list_descriptors(pid, task, result) || !result->count)
    return false;
  bool transfers = task->number == SYS_read || task->number == SYS_readv ||
                   task->number == SYS_recvfrom || task->number == SYS_recvmsg;
  for (size_t i = result->count; i-- > 0;)
    if (!other_end(pid, result->fds[i], transfers, &ends[i], &result->kind))
      return false;
  // Each of them has its other end here; most often that settles it: the other end is elsewhere.
  for (size_t i = 0; i < result->count; i++)
    if (has_end(pid, &ends[i], 1) != YES)
      return false;
  return !any_other_has(pid, ends, result->count, relatives, holder);
}
