#include "shadow_stack.h"

#include "raw_syscall.h"

// arch/x86/include/uapi/asm/prctl.h
enum { SHADOW_STACK_STATUS = 0x5005, SHADOW_STACK_ENABLED = 1 };

bool
shadow_stack_told(arch_control *ask)
{
  uint64_t features = 0;

  return ask(SHADOW_STACK_STATUS, &features) == 0 && (features & SHADOW_STACK_ENABLED) != 0;
}

static long
ask_kernel(int command, uint64_t *answer)
{
  return RAW(SYS_arch_prctl, command, answer);
}

bool
shadow_stack_on(void)
{
  return shadow_stack_told(ask_kernel);
}
