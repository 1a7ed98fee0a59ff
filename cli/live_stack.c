#include "live_stack.h"
#include "demangle.h"
#include "procfs.h"
#include "registers.h"
#include "text.h"
#include "tracer.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

enum { MOST_FRAMES = 256 };

struct live {
  pid_t pid;
  Dwfl *dwfl;
  bool attached;
  const uint64_t *registers;  // of the thread that live_stack_from() unwinds
};

static char *no_debuginfo_path;

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &no_debuginfo_path,
};

static struct live *
open_modules(pid_t pid)
{
  struct live *live = xrealloc(NULL, sizeof *live);
  *live = (struct live){.dwfl = dwfl_begin(&callbacks), .pid = pid};
  if (!live->dwfl || dwfl_linux_proc_report(live->dwfl, pid) ||
      dwfl_report_end(live->dwfl, NULL, NULL)) {
    live_close(live);
    return NULL;
  }
  return live;
}

// One thread, whose id is 1, with the registers given.
static pid_t
next_thread(Dwfl *dwfl, void *live, void **thread)
{
  (void)dwfl;
  if (*thread)
    return 0;
  *thread = live;
  return 1;
}

static bool
get_thread(Dwfl *dwfl, pid_t tid, void *live, void **thread)
{
  (void)dwfl;
  *thread = live;
  return tid == 1;
}

static bool
read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *live)
{
  (void)dwfl;
  return procfs_memory(((struct live *)live)->pid, address, word, sizeof *word);
}

static bool
set_registers(Dwfl_Thread *thread, void *argument)
{
  const struct live *live = argument;
  Dwarf_Word words[REG_IP];
  for (size_t i = 0; i < REG_IP; i++)
    words[i] = live->registers[i];
  dwfl_thread_state_register_pc(thread, live->registers[REG_IP]);
  return dwfl_thread_state_registers(thread, 0, REG_IP, words);
}

static const Dwfl_Thread_Callbacks from_registers = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_word,
    .set_initial_registers = set_registers,
};

struct live *
live_open(pid_t pid)
{
  struct live *live = open_modules(pid);
  if (live)
    live->attached = dwfl_attach_state(live->dwfl, NULL, pid, &from_registers, live);
  return live;
}

void
live_close(struct live *live)
{
  if (!live)
    return;
  if (live->dwfl)
    dwfl_end(live->dwfl);
  free(live);
}

// Whether the module, loaded with this bias, has the address: libdwfl takes the gaps between
// modules for parts of them.
static bool
has_address(Dwfl_Module *module, uint64_t address)
{
  Dwarf_Addr bias;
  size_t count = 0;
  Elf *elf = dwfl_module_getelf(module, &bias);
  if (!elf || elf_getphdrnum(elf, &count))
    return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD &&
        address - bias - header.p_vaddr < header.p_memsz)
      return true;
  }
  return false;
}

// The anonymous pages of a module's .bss follow those of its file.
static Dwfl_Module *
module_of(struct live *live, uint64_t address)
{
  struct mapping mapping;
  Dwfl_Module *module = dwfl_addrmodule(live->dwfl, address);
  if (module && has_address(module, address))
    return module;
  if (!procfs_mapping(live->pid, address, &mapping) || *mapping.path)
    return NULL;
  module = dwfl_addrmodule(live->dwfl, mapping.start - 1);
  return module && has_address(module, address) ? module : NULL;
}

// Adds module and offset, which is the address in the module's file; the module, or NULL.
static Dwfl_Module *
place(struct live *live, json_t *frame, uint64_t address)
{
  Dwfl_Module *module = module_of(live, address);
  Dwarf_Addr start, bias;
  const char *path = NULL;
  if (!module)
    return NULL;
  const char *name = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, &path, NULL);
  if (!dwfl_module_getelf(module, &bias))
    bias = start;
  if (!path || !*path)
    path = name;
  if (!path)
    return module;
  char offset[32];
  snprintf(offset, sizeof offset, "0x%llx", (unsigned long long)(address - bias));
  json_object_set_new(frame, "module", json_string(path));
  json_object_set_new(frame, "offset", json_string(offset));
  return module;
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

struct walk {
  struct live *live;
  json_t *stack;
};

static int
add_frame(Dwfl_Frame *state, void *argument)
{
  struct walk *walk = argument;
  Dwarf_Addr pc;
  char text[32];
  if (!dwfl_frame_pc(state, &pc, NULL) || json_array_size(walk->stack) >= MOST_FRAMES)
    return DWARF_CB_ABORT;
  json_t *frame = json_object();
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)pc);
  json_object_set_new(frame, "pc", json_string(text));
  place(walk->live, frame, pc);
  json_array_append_new(walk->stack, frame);
  return DWARF_CB_OK;
}

json_t *
live_stack_from(struct live *live, const uint64_t *registers)
{
  struct walk walk = {live, json_array()};
  live->registers = registers;
  if (live->attached)
    dwfl_getthread_frames(live->dwfl, 1, add_frame, &walk);
  return walk.stack;
}

// libdwfl's own way to stop a thread (PTRACE_ATTACH) ends a process that execs meanwhile: it hands
// on the SIGTRAP that the kernel sends for the exec.
json_t *
live_stack(struct live *live, pid_t tid)
{
  struct tracer tracer;
  struct user_regs_struct user;
  json_t *stack = NULL;
  if (!live || !tracer_stop(&tracer, tid))
    return json_array();
  keep_waiting(tid);
  if (!ptrace(PTRACE_GETREGS, tid, NULL, &user)) {
    const uint64_t registers[] = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
                                  user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
                                  user.r12, user.r13, user.r14, user.r15, user.rip};
    stack = live_stack_from(live, registers);
  }
  tracer_let_go(&tracer);
  return stack ? stack : json_array();
}

json_t *
live_symbol(struct live *live, uint64_t address)
{
  json_t *result = json_object();
  Dwfl_Module *module = live ? place(live, result, address) : NULL;
  GElf_Off into;
  GElf_Sym symbol;
  const char *name =
      module ? dwfl_module_addrinfo(module, address, &into, &symbol, NULL, NULL, NULL) : NULL;
  if (name && into < symbol.st_size) {
    char *plain = demangled(name);
    json_object_set_new(result, "symbol", json_string(plain));
    if (into)
      json_object_set_new(result, "symbol_offset", json_integer((json_int_t)into));
    free(plain);
  }
  return result;
}
