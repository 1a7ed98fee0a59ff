#include "interrupted_place.h"

#include "vfork_state.h"
#include "unwind/modules.h"
#include "unwind/unwind.h"

#include <string.h>

enum {
  FRAMES = 64,
  WAIT_UNWINDER_NS = 100000000,
  LOCK_PATIENCE = 25,  // signals of the parent until a wait for a lock is no longer let be: 5 s
};

// Its locks are held between its frames.
static bool
is_runtime(const struct module *m)
{
  static const char *const names[] = {"libc.so",   "ld-linux",   "libnss_",
                                      "libresolv", "libpthread", "libforkhound"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strncmp(module_name(m), names[i], strlen(names[i])) == 0)
      return true;
  }
  return false;
}

static bool
in_system_call(const unsigned char *pc)
{
  return pc[-2] == 0x0f && pc[-1] == 0x05;
}

// libc loads the number with an instruction of its own, close before.
static bool
waits_for_lock(const unsigned char *pc)
{
  static const unsigned char number[] = {0xb8, 0xca, 0, 0, 0};  // mov $SYS_futex, %eax

  for (int i = 7; in_system_call(pc) && i < 32; i++) {
    if (memcmp(pc - i, number, sizeof number) == 0)
      return true;
  }
  return false;
}

static struct registers
registers_of(const ucontext_t *context)
{
  const greg_t *from = context->uc_mcontext.gregs;
  struct registers r = {{0}};

  r.at[REG_IP] = (uint64_t)from[REG_RIP];
  r.at[REG_SP] = (uint64_t)from[REG_RSP];
  r.at[REG_BP] = (uint64_t)from[REG_RBP];
  r.at[REG_BX] = (uint64_t)from[REG_RBX];
  r.at[REG_12] = (uint64_t)from[REG_R12];
  r.at[REG_13] = (uint64_t)from[REG_R13];
  r.at[REG_14] = (uint64_t)from[REG_R14];
  r.at[REG_15] = (uint64_t)from[REG_R15];
  return r;
}

// How many frames of the runtime are innermost, if all others up to the function that called fork()
// are the program's; -1: they are not, or it is not known.
static int
runtime_frames(const struct borrow *b, const ucontext_t *interrupted, const struct modules *modules)
{
  struct frame frames[FRAMES];
  struct registers registers = registers_of(interrupted);
  uint64_t sp = registers.at[REG_SP], end = b->sp + b->saved;
  struct stack_copy stack = {&registers, (const unsigned char *)sp, sp, end - sp};
  int innermost = 0;

  if (sp >= end)
    return -1;
  unwind_begin(modules);
  int n = unwind_stack(&stack, frames, FRAMES);
  for (int i = 0; i < n; i++) {
    if (frames[i].slot == b->trap)
      return innermost;
    const struct module *m = modules_find(modules, frames[i].pc - (i > 0));
    if (!m)
      return -1;
    if (is_runtime(m) && innermost++ != i)
      return -1;
  }
  return -1;
}

bool
borrow_place_may_leave(struct borrow *b, const ucontext_t *interrupted, bool timer)
{
  const unsigned char *pc = (const unsigned char *)interrupted->uc_mcontext.gregs[REG_RIP];
  int runtime = -1;

  if (timer)
    b->reminders++;
  if (!unwind_enter(WAIT_UNWINDER_NS))
    return false;
  struct modules *modules = modules_read();
  if (modules) {
    runtime = runtime_frames(b, interrupted, modules);
    modules_free(modules);
  }
  unwind_leave();
  // A lock's owner runs on and gives it back, unless it waits for the parent.
  if (runtime > 0 && waits_for_lock(pc))
    return b->reminders > LOCK_PATIENCE;
  return runtime == 0 || (runtime == 1 && in_system_call(pc));
}
