#include "os/seccomp.h"

#include "redirect/promote_child.h"
#include "redirect/vfork_child.h"
#include "os/descriptor.h"
#include "libc/real_calls.h"
#include "os/memory.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "task.h"
#include "threads/thread_table.h"
#include "footprint/write_tracking.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILTERS = 16 };

static struct sock_fprog filters[FILTERS];
static _Atomic int filter_count;
static _Atomic bool inherited, unreadable, traced;

// A copy, made before the filter is in force. One too many, or no memory: nothing is allowed any
// more.
static void
remember(const struct sock_fprog *program)
{
  if (!program || !program->filter || program->len == 0)
    return;
  int n = atomic_load(&filter_count);
  size_t size = program->len * sizeof *program->filter;
  void *copy = n < FILTERS ? memory_map(size) : NULL;
  if (!copy) {
    atomic_store(&unreadable, true);
    return;
  }
  memcpy(copy, program->filter, size);
  filters[n].len = program->len;
  filters[n].filter = copy;
  atomic_store(&filter_count, n + 1);
}

// Classic BPF as the kernel's seccomp_check_filter() admits it. The action, or kill where a program
// uses what it may not.
static unsigned int
run(const struct sock_fprog *program, const struct seccomp_data *data)
{
  unsigned int a = 0, x = 0, memory[BPF_MEMWORDS] = {0};

  for (unsigned int pc = 0; pc < program->len; pc++) {
    const struct sock_filter *f = &program->filter[pc];
    unsigned int operand = BPF_SRC(f->code) == BPF_X ? x : f->k;
    switch (BPF_CLASS(f->code)) {
    case BPF_LD:
      if (BPF_MODE(f->code) == BPF_ABS && f->k <= sizeof *data - sizeof a)
        memcpy(&a, (const char *)data + f->k, sizeof a);
      else if (BPF_MODE(f->code) == BPF_MEM && f->k < BPF_MEMWORDS)
        a = memory[f->k];
      else
        a = BPF_MODE(f->code) == BPF_LEN ? (unsigned int)sizeof *data : f->k;
      break;
    case BPF_LDX:
      if (BPF_MODE(f->code) == BPF_MEM && f->k < BPF_MEMWORDS)
        x = memory[f->k];
      else
        x = BPF_MODE(f->code) == BPF_LEN ? (unsigned int)sizeof *data : f->k;
      break;
    case BPF_ST:
    case BPF_STX:
      if (f->k < BPF_MEMWORDS)
        memory[f->k] = BPF_CLASS(f->code) == BPF_ST ? a : x;
      break;
    case BPF_ALU:
      switch (BPF_OP(f->code)) {
      case BPF_ADD: a += operand; break;
      case BPF_SUB: a -= operand; break;
      case BPF_MUL: a *= operand; break;
      case BPF_DIV: a = operand ? a / operand : 0; break;
      case BPF_AND: a &= operand; break;
      case BPF_OR: a |= operand; break;
      case BPF_XOR: a ^= operand; break;
      case BPF_LSH: a = operand < 32 ? a << operand : 0; break;
      case BPF_RSH: a = operand < 32 ? a >> operand : 0; break;
      case BPF_NEG: a = 0u - a; break;
      default: return SECCOMP_RET_KILL_PROCESS;
      }
      break;
    case BPF_JMP: {
      bool taken;
      switch (BPF_OP(f->code)) {
      case BPF_JA: pc += f->k; continue;
      case BPF_JEQ: taken = a == operand; break;
      case BPF_JGT: taken = a > operand; break;
      case BPF_JGE: taken = a >= operand; break;
      case BPF_JSET: taken = (a & operand) != 0; break;
      default: return SECCOMP_RET_KILL_PROCESS;
      }
      pc += taken ? f->jt : f->jf;
      break;
    }
    case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? a : f->k;
    case BPF_MISC:
      if (BPF_MISCOP(f->code) == BPF_TAX)
        x = a;
      else
        a = x;
      break;
    default: return SECCOMP_RET_KILL_PROCESS;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

bool
guard_filtered(void)
{
  return filter_count > 0 || inherited || unreadable;
}

// How many filters the command has found to be harmless: they are those that it runs under itself
// (cli/launch/filter_probe.c).
static int
harmless_filters(void)
{
  static _Atomic int known = -1;
  char path[640], text[16] = "";
  size_t folder = strlen(process.events.value);

  if (known >= 0)
    return known;
  while (folder > 0 && process.events.value[folder - 1] != '/')
    folder--;
  long fd = -1;
  if (folder > 0 && folder + sizeof "filters" <= sizeof path) {
    memcpy(path, process.events.value, folder);
    memcpy(path + folder, "filters", sizeof "filters");
    fd = descriptor_open(path, O_RDONLY | O_NOFOLLOW);
  }
  if (fd >= 0) {
    RAW(SYS_read, fd, text, sizeof text - 1);
    descriptor_close(fd);
  }
  known = (int)strtol(text, NULL, 10);
  return known;
}

// A line of /proc/PID/task/TID/status. "Seccomp_filters" is there since Linux 5.9, after "Seccomp".
static void
read_status_line(const char *line)
{
  if (strncmp(line, "TracerPid:\t", 11) == 0)
    traced = line[11] != '0';
  else if (strncmp(line, "Seccomp:\t", 9) == 0 && line[9] != '0' && filter_count == 0)
    inherited = true;
  else if (strncmp(line, "Seccomp_filters:\t", 17) == 0 && inherited &&
           strtol(line + 17, NULL, 10) == harmless_filters())
    inherited = false;
}

void
guard_look(void)
{
  char path[80], bytes[512], line[32];
  size_t length = 0;
  long n;

  if (!guard_allows(SYS_openat) || !guard_allows(SYS_read) || !guard_allows(SYS_close))
    return;
  task_path(path, (pid_t)RAW(SYS_getpid), (pid_t)RAW(SYS_gettid), "status");
  long fd = descriptor_open(path, O_RDONLY);
  if (fd < 0)
    return;
  // Line by line, of which the beginning is enough: the list of groups may be long.
  while ((n = RAW(SYS_read, fd, bytes, sizeof bytes)) > 0) {
    for (long i = 0; i < n; i++) {
      if (bytes[i] == '\n') {
        line[length] = 0;
        read_status_line(line);
        length = 0;
      } else if (length < sizeof line - 1) {
        line[length++] = bytes[i];
      }
    }
  }
  descriptor_close(fd);
}

bool
guard_traced(void)
{
  return traced;
}

bool
guard_allows(long number)
{
  struct seccomp_data data = {.nr = (int)number, .arch = AUDIT_ARCH_X86_64};

  if (unreadable)
    return false;
  for (int i = 0; i < filter_count; i++) {
    unsigned int action = run(&filters[i], &data) & SECCOMP_RET_ACTION_FULL;
    if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG)
      return false;
  }
  return true;
}

static bool
allows_all(const long *numbers, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (!guard_allows(numbers[i]))
      return false;
  }
  return true;
}

bool
guard_allows_report(void)
{
  static const long needed[] = {SYS_openat,     SYS_read,   SYS_close,  SYS_getdents64,
                                SYS_newfstatat, SYS_mmap,   SYS_munmap, SYS_write,
                                SYS_getpid,     SYS_gettid, SYS_futex,  SYS_rt_sigprocmask};

  return allows_all(needed, sizeof needed / sizeof needed[0]);
}

// What is the memory's, not the caller's; and a filter, which this process is not to obey.
static bool
changes_more_than_caller(int option)
{
  enum { SET_MDWE = 65 };  // PR_SET_MDWE, Linux 6.3

  return option == PR_SET_SECCOMP || option == PR_SET_MM || option == PR_SET_THP_DISABLE ||
         option == SET_MDWE;
}

// Of a borrowed child: what the wrappers of libc's functions would have to do.
static void
before_raw_call(long number)
{
  switch (number) {
  case SYS_fork:
  case SYS_vfork:
  case SYS_clone:
  case SYS_clone3:
  case SYS_seccomp:
  case SYS_unshare:
  case SYS_setns:
  case SYS_ptrace:
  case SYS_rt_sigaction:
  case SYS_tkill:
  case SYS_tgkill: become_real("called syscall", REAL_WHOLE); break;
  default: break;
  }
}

FH_EXPORT int
prctl(int option, ...)
{
  va_list list;
  unsigned long a[4];

  va_start(list, option);
  for (int i = 0; i < 4; i++)
    a[i] = va_arg(list, unsigned long);
  va_end(list);
  fh_real_resolve();
  if (borrowed && changes_more_than_caller(option))
    become_real("called prctl", REAL_WHOLE);
  if (!borrowed && option == PR_SET_DUMPABLE)
    borrow_changes.dumpable++;
  if (option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_FILTER)
    remember((const struct sock_fprog *)a[1]);
  else if (option == PR_SET_SECCOMP && a[0] == SECCOMP_MODE_STRICT)
    unreadable = true;
  int result = fh_real.prctl(option, a[0], a[1], a[2], a[3]);
  if (option == PR_SET_NAME && result == 0)
    thread_renamed();
  return result;
}

// libseccomp and hand-written sandboxes install filters this way.
FH_EXPORT long
syscall(long number, ...)
{
  va_list list;
  long a[6];

  va_start(list, number);
  for (int i = 0; i < 6; i++)
    a[i] = va_arg(list, long);
  va_end(list);
  fh_real_resolve();
  if (borrowed)
    before_raw_call(number);
  if (number == SYS_seccomp && a[0] == SECCOMP_SET_MODE_FILTER)
    remember((const struct sock_fprog *)a[2]);
  else if (number == SYS_seccomp && a[0] == SECCOMP_SET_MODE_STRICT)
    unreadable = true;
  if (number == SYS_close && write_watch_keeps((int)a[0])) {
    errno = EBADF;
    return -1;
  }
  if (number == SYS_close_range && write_watch_on())
    return close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2]);
  if (number == SYS_execve)
    return execve((const char *)a[0], (char **)a[1], (char **)a[2]);
  if (number == SYS_execveat)
    return execveat((int)a[0], (const char *)a[1], (char **)a[2], (char **)a[3], (int)a[4]);
  return fh_real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
