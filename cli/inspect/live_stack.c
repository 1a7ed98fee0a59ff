#include "live_stack.h"
#include "process/procfs.h"
#include "registers.h"
#include "symbolizer/symbolizer.h"
#include "base/message.h"
#include "process/ptrace_step.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

enum { PAGE = 4096, MOST_PAGES = 256 };

struct live {
  pid_t pid;
  json_int_t serial;
};

struct live *
live_open(pid_t pid)
{
  static json_int_t serial;
  int fd = procfs_open(pid, 0, "maps");
  if (fd < 0)
    return NULL;
  close(fd);
  struct live *live = xrealloc(NULL, sizeof *live);
  serial++;
  *live = (struct live){.pid = pid, .serial = serial};
  return live;
}

void
live_close(struct live *live)
{
  free(live);
}

// Calls that return EINTR after a stop even without a signal handler (signal(7)); those here wait
// without a timeout.
static bool
ends_by_stop(const struct user_regs_struct *user)
{
  switch ((long)user->orig_rax) {
  case SYS_epoll_wait:
  case SYS_epoll_pwait: return (int)user->r10 < 0;
  case SYS_rt_sigtimedwait: return user->rdx == 0;
  case SYS_semop: return true;
  default: return false;
  }
}

// While the thread is stopped: lets it go on waiting afterwards (Linux, include/linux/errno.h).
static void
keep_waiting(pid_t tid)
{
  static const unsigned long long restart_no_handler = -514ull;
  struct user_regs_struct user;
  if (ptrace(PTRACE_GETREGS, tid, NULL, &user) || user.rax != -(unsigned long long)EINTR ||
      !ends_by_stop(&user))
    return;
  user.rax = restart_no_handler;
  ptrace(PTRACE_SETREGS, tid, NULL, &user);
}

// The stack from `sp` upwards, as far as it is there: the thread may be let go then. `to` has
// room for MOST_PAGES.
static size_t
copy_stack(pid_t pid, uint64_t sp, void *to)
{
  struct iovec local = {to, MOST_PAGES * PAGE}, remote[MOST_PAGES];
  uint64_t at = sp, end = sp - sp % PAGE;
  for (int i = 0; i < MOST_PAGES; i++, at = end) {
    end += PAGE;
    remote[i] = (struct iovec){(void *)(uintptr_t)at, end - at};
  }
  ssize_t copied = process_vm_readv(pid, &local, 1, remote, MOST_PAGES, 0);
  return copied > 0 ? (size_t)copied : 0;
}

static json_t *
stack_from(struct live *live, const uint64_t *registers, const struct symbolizer_memory *memory)
{
  json_t *values = json_array(), *frames = json_array();
  for (size_t i = 0; i <= REG_IP; i++)
    json_array_append_new(values, json_integer((json_int_t)registers[i]));
  json_decref(symbolizer_ask(
      json_pack("{s:o, s:i, s:I}", "stack", values, "pid", (int)live->pid, "serial", live->serial),
      memory, frames));
  return frames;
}

json_t *
live_stack_from(struct live *live, const uint64_t *registers)
{
  struct symbolizer_memory memory = {.pid = live->pid};
  return stack_from(live, registers, &memory);
}

// False: not permitted, or gone.
static bool
take_registers(pid_t tid, uint64_t *registers)
{
  struct user_regs_struct user;
  if (ptrace(PTRACE_GETREGS, tid, NULL, &user))
    return false;
  const uint64_t values[] = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
                             user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
                             user.r12, user.r13, user.r14, user.r15, user.rip};
  memcpy(registers, values, sizeof values);
  return true;
}

// libdwfl's own way to stop a thread (PTRACE_ATTACH) ends a process that execs meanwhile: it hands
// on the SIGTRAP that the kernel sends for the exec.
json_t *
live_stack(struct live *live, pid_t tid)
{
  static unsigned char copy[MOST_PAGES * PAGE];
  struct tracer tracer;
  uint64_t registers[REG_IP + 1];
  if (!live || !tracer_stop(&tracer, tid))
    return json_array();
  struct symbolizer_memory memory = {.pid = live->pid, .copy = copy};
  keep_waiting(tid);
  bool taken = take_registers(tid, registers);
  if (taken) {
    memory.copied_at = registers[REG_SP];
    memory.copied = copy_stack(live->pid, memory.copied_at, copy);
  }
  tracer_let_go(&tracer);
  return taken ? stack_from(live, registers, &memory) : json_array();
}

json_t *
live_symbol(struct live *live, uint64_t address)
{
  if (!live)
    return json_object();
  struct symbolizer_memory memory = {.pid = live->pid};
  json_t *symbol = symbolizer_ask(json_pack("{s:I, s:i, s:I}", "symbol", (json_int_t)address, "pid",
                                            (int)live->pid, "serial", live->serial),
                                  &memory, NULL);
  if (json_is_object(symbol))
    return symbol;
  json_decref(symbol);
  return json_object();
}
