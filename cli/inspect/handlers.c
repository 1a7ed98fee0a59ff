#include "handlers.h"
#include "base/json_fields.h"
#include "live_stack.h"
#include "process/procfs.h"
#include "base/message.h"
#include "process/ptrace_step.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>

enum { MOST_SIGNAL = 64, RED_ZONE = 128, ROOM = 512, CODE_64 = 0x33 };

// A task that is made to carry out system calls.
struct puppet {
  struct tracer tracer;
  struct user_regs_struct registers;  // as they were
  uint64_t room;                      // below its stack: nothing of it is there
};

// The kernel begins the wait anew when the task goes on with the registers that it had (Linux,
// include/linux/errno.h: ERESTARTSYS to ERESTARTNOHAND).
static bool
waits_in_futex(pid_t pid, const struct user_regs_struct *registers)
{
  unsigned char code[2];
  return registers->cs == CODE_64 && registers->orig_rax == SYS_futex &&
         (long long)registers->rax <= -512 && (long long)registers->rax >= -514 &&
         procfs_memory(pid, registers->rip - sizeof code, code, sizeof code) && code[0] == 0x0f &&
         code[1] == 0x05;
}

static bool
take(struct puppet *puppet, pid_t pid, pid_t tid)
{
  if (procfs_status(pid, tid, "Seccomp", 10) || !tracer_stop(&puppet->tracer, tid))
    return false;
  if (!ptrace(PTRACE_GETREGS, tid, NULL, &puppet->registers) &&
      waits_in_futex(pid, &puppet->registers)) {
    puppet->room = (puppet->registers.rsp - RED_ZONE - ROOM) & ~63ull;
    return true;
  }
  tracer_let_go(&puppet->tracer);
  return false;
}

static void
let_go(struct puppet *puppet)
{
  ptrace(PTRACE_SETREGS, puppet->tracer.pid, NULL, &puppet->registers);
  tracer_let_go(&puppet->tracer);
}

// One system call whose result goes to the room.
static bool
call(struct puppet *puppet, long number, unsigned long long first, unsigned long long second,
     unsigned long long third, unsigned long long fourth)
{
  pid_t tid = puppet->tracer.pid;
  struct user_regs_struct registers = puppet->registers;
  registers.rip -= 2;
  registers.rax = (unsigned long long)number;
  registers.orig_rax = -1ull;
  registers.rdi = first;
  registers.rsi = second;
  registers.rdx = third;
  registers.r10 = fourth;
  return !ptrace(PTRACE_SETREGS, tid, NULL, &registers) && tracer_step(&puppet->tracer) &&
         !ptrace(PTRACE_GETREGS, tid, NULL, &registers) && registers.rax == 0;
}

// The addresses of the handlers, 0 for none.
static bool
ask(struct puppet *puppet, pid_t pid, unsigned long long caught, uint64_t addresses[],
    struct handlers *handlers)
{
  static const int of_timer[] = {SIGALRM, SIGVTALRM, SIGPROF};
  for (int signal = 1; signal <= MOST_SIGNAL; signal++) {
    addresses[signal] = 0;
    if (caught & 1ull << (signal - 1) &&
        (!call(puppet, SYS_rt_sigaction, (unsigned)signal, 0, puppet->room, 8) ||
         !procfs_memory(pid, puppet->room, &addresses[signal], sizeof addresses[signal])))
      return false;
  }
  for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
    struct itimerval timer;
    if (!call(puppet, SYS_getitimer, (unsigned)which, puppet->room, 0, 0) ||
        !procfs_memory(pid, puppet->room, &timer, sizeof timer))
      return false;
    if (timer.it_value.tv_sec || timer.it_value.tv_usec)
      handlers->timers |= 1ull << (of_timer[which] - 1);
  }
  return true;
}

// Ruby has one of SIGVTALRM, which is there to interrupt a system call.
static bool
does_nothing(pid_t pid, uint64_t handler)
{
  static const unsigned char mark[] = {0xf3, 0x0f, 0x1e, 0xfa}, end = 0xc3;  // endbr64, ret
  unsigned char code[sizeof mark + 1];
  if (!procfs_memory(pid, handler, code, sizeof code))
    return false;
  return code[memcmp(code, mark, sizeof mark) ? 0 : sizeof mark] == end;
}

// CPython: signal_handler() in Modules/signalmodule.c; Ruby: sighandler() in signal.c. Each has one
// for all signals. Where no symbol says so it is that of SIGINT, which both install at their start.
static bool
notes(pid_t pid, struct live *live, uint64_t handler, uint64_t of_interrupt)
{
  static const struct {
    const char *module, *function;
  } known[] = {{"python", "signal_handler"},
               {"libpython", "signal_handler"},
               {"ruby", "sighandler"},
               {"libruby", "sighandler"}};
  struct mapping mapping;
  bool found = false;
  if (!procfs_mapping(pid, handler, &mapping))
    return false;
  json_t *symbol = live_symbol(live, handler);
  const char *name = get_string(symbol, "symbol"), *module = base_name(mapping.path);
  for (size_t i = 0; i < sizeof known / sizeof *known && !found; i++)
    found = !strncmp(module, known[i].module, strlen(known[i].module)) &&
            (name ? !strcmp(name, known[i].function) : handler == of_interrupt);
  json_decref(symbol);
  return found;
}

bool
handlers_read(pid_t pid, pid_t tid, struct handlers *handlers)
{
  uint64_t addresses[MOST_SIGNAL + 1];
  struct puppet puppet;
  unsigned long long caught = procfs_status(pid, 0, "SigCgt", 16);
  *handlers = (struct handlers){0};
  if (!take(&puppet, pid, tid))
    return false;
  bool asked = ask(&puppet, pid, caught, addresses, handlers);
  let_go(&puppet);
  struct live *live = asked ? live_open(pid) : NULL;
  for (int signal = 1; asked && signal <= MOST_SIGNAL; signal++)
    if (addresses[signal] && (does_nothing(pid, addresses[signal]) ||
                              notes(pid, live, addresses[signal], addresses[SIGINT])))
      handlers->noting |= 1ull << (signal - 1);
  live_close(live);
  return asked;
}
