#include "task.h"

#include "os/descriptor.h"
#include "raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

// The layout getdents64(2) documents; libc has no public name for it.
struct dirent64_raw {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

static char *
add(char *p, const char *s)
{
  while (*s)
    *p++ = *s++;
  *p = 0;
  return p;
}

static char *
add_number(char *p, pid_t number)
{
  char digits[12];
  int n = 0;

  do {
    digits[n++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  while (n)
    *p++ = digits[--n];
  *p = 0;
  return p;
}

bool
task_can_list(void)
{
  static _Atomic pid_t checked;  // the process whose answer `ours` is
  static _Atomic bool ours;
  pid_t pid = (pid_t)RAW(SYS_getpid);

  if (checked != pid) {
    char name[16], digits[16];
    long n = RAW(SYS_readlink, "/proc/self", name, sizeof name - 1);
    char *end = add_number(digits, pid);
    ours = n == end - digits && __builtin_memcmp(name, digits, (size_t)n) == 0;
    checked = pid;
  }
  return ours;
}

// unshare(CLONE_NEWPID) gives the children of the calling thread another one, which /proc shows
// only when the first of them is there (kernel/pid_namespace.c).
bool
task_children_stay(void)
{
  static _Atomic uint64_t own;  // a process never leaves it
  struct stat st;

  if (!own && RAW(SYS_newfstatat, -1, "/proc/thread-self/ns/pid", &st, 0) == 0)
    own = st.st_ino;
  return own && RAW(SYS_newfstatat, -1, "/proc/thread-self/ns/pid_for_children", &st, 0) == 0 &&
         st.st_ino == own;
}

void
task_path(char *path, pid_t pid, pid_t tid, const char *file)
{
  char *p = add_number(add(path, "/proc/"), pid);

  if (tid)
    p = add_number(add(p, "/task/"), tid);
  add(add(p, "/"), file);
}

static long
read_and_close(long fd, char *buffer, size_t size)
{
  if (fd < 0)
    return fd;
  long n = RAW(SYS_read, fd, buffer, size - 1);
  descriptor_close(fd);
  if (n >= 0)
    buffer[n] = 0;
  return n;
}

long
task_read(pid_t pid, pid_t tid, const char *file, char *buffer, size_t size)
{
  char path[80];

  task_path(path, pid, tid, file);
  return read_and_close(descriptor_open(path, O_RDONLY), buffer, size);
}

bool
task_single(void)
{
  return __libc_single_threaded;
}

pid_t
task_self(void)
{
  return (pid_t)RAW(SYS_gettid);
}

pid_t
task_main(void)
{
  return (pid_t)RAW(SYS_getpid);
}

void
task_name(pid_t pid, pid_t tid, char *name, size_t size)
{
  long n = task_read(pid, tid, "comm", name, size);

  name[n > 0 ? n - 1 : 0] = 0;  // without the newline
}

void
task_own_name(char *name)
{
  RAW(SYS_prctl, PR_GET_NAME, name, 0, 0, 0);
}

long
task_count(pid_t pid)
{
  struct stat st;
  char path[80];

  task_path(path, pid, 0, "task");
  long error = RAW(SYS_newfstatat, AT_FDCWD, path, &st, 0);
  return error < 0 ? error : (long)st.st_nlink - 2;
}

long
task_each(pid_t pid, void (*visit)(pid_t tid, void *argument), void *argument)
{
  char path[80];
  _Alignas(struct dirent64_raw) char buffer[2048];
  long n;

  task_path(path, pid, 0, "task");
  long fd = descriptor_open(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return fd;
  while ((n = RAW(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < n;) {
      struct dirent64_raw *entry = (struct dirent64_raw *)(void *)(buffer + at);
      at += entry->length;
      pid_t tid = 0;
      for (const char *c = entry->name; *c >= '0' && *c <= '9'; c++)
        tid = tid * 10 + (*c - '0');
      if (tid > 0)
        visit(tid, argument);
    }
  }
  descriptor_close(fd);
  return n;
}

bool
task_alive(pid_t pid, pid_t tid)
{
  enum { PF_EXITING = 0x4 };  // include/linux/sched.h; shown as the ninth field of stat
  char buffer[512];
  long n = task_read(pid, tid, "stat", buffer, sizeof buffer);

  if (n <= 0)
    return false;
  // The name in parentheses may itself hold parentheses and spaces.
  char *p = buffer + n;
  while (p > buffer && *p != ')')
    p--;
  if (p == buffer || p[1] != ' ')
    return false;
  char state = p[2];
  p += 3;
  for (int field = 4; field <= 9; field++) {
    while (*p == ' ')
      p++;
    if (field < 9) {
      while (*p && *p != ' ')
        p++;
    }
  }
  unsigned long flags = 0;
  for (; *p >= '0' && *p <= '9'; p++)
    flags = flags * 10 + (unsigned long)(*p - '0');
  return state != 'Z' && state != 'X' && !(flags & PF_EXITING);
}

static const char *
parse_hex(const char *p, unsigned long *value)
{
  while (*p == ' ')
    p++;
  if (p[0] == '0' && p[1] == 'x')
    p += 2;
  *value = 0;
  for (;; p++) {
    if (*p >= '0' && *p <= '9')
      *value = *value * 16 + (unsigned long)(*p - '0');
    else if (*p >= 'a' && *p <= 'f')
      *value = *value * 16 + (unsigned long)(*p - 'a' + 10);
    else
      return p;
  }
}

long
task_folder(pid_t pid)
{
  char path[80];

  task_path(path, pid, 0, "task");
  return descriptor_open(path, O_PATH | O_DIRECTORY);
}

int
task_syscall(long folder, pid_t tid, struct task_syscall *call)
{
  char path[32], buffer[256];

  add(add_number(path, tid), "/syscall");
  long fd = RAW(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC);
  descriptor_list(fd);
  long n = read_and_close(fd, buffer, sizeof buffer);

  if (n <= 0)
    return n < 0 ? (int)n : -ESRCH;
  if (buffer[0] == 'r')  // "running"
    return 0;
  const char *p = buffer;
  bool negative = *p == '-';
  if (negative)
    p++;
  long number = 0;
  for (; *p >= '0' && *p <= '9'; p++)
    number = number * 10 + (*p - '0');
  call->number = negative ? -number : number;
  for (int i = 0; i < 6; i++)
    call->arguments[i] = 0;
  if (!negative) {
    for (int i = 0; i < 6; i++)
      p = parse_hex(p, &call->arguments[i]);
  }
  p = parse_hex(p, &call->sp);
  parse_hex(p, &call->pc);
  return 1;
}
