#include "os/seccomp.h"

#include "os/map.h"
#include "os/descriptor.h"
#include "raw_syscall.h"
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILTERS = 16 };

static struct sock_fprog filters[FILTERS];
static _Atomic int filter_count;
static _Atomic bool inherited, unreadable, traced;
static int (*_Atomic harmless_filters)(void);

void
guard_trust(int (*filters_known)(void))
{
  harmless_filters = filters_known;
}

void
guard_forbid(void)
{
  atomic_store(&unreadable, true);
}

// One too many, or no memory: nothing is allowed any more.
void
guard_remember(const struct sock_fprog *program)
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

// A line of /proc/PID/task/TID/status. "Seccomp_filters" is there since Linux 5.9, after "Seccomp".
static void
read_status_line(const char *line)
{
  if (strncmp(line, "TracerPid:\t", 11) == 0)
    traced = line[11] != '0';
  else if (strncmp(line, "Seccomp:\t", 9) == 0 && line[9] != '0' && filter_count == 0)
    inherited = true;
  else if (strncmp(line, "Seccomp_filters:\t", 17) == 0 && inherited && harmless_filters &&
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
