#include "mach_state.h"

// User addresses have 47 bits (osfmk/mach/arm/vm_param.h: MACH_VM_MAX_ADDRESS); the bits above are
// a signature or a tag.
static const uint64_t ADDRESS_BITS = (UINT64_C(1) << 47) - 1;

bool
mach_state(thread_act_t port, struct registers *r)
{
  arm_thread_state64_t state = {0};
  mach_msg_type_number_t count = ARM_THREAD_STATE64_COUNT;

  if (thread_get_state(port, ARM_THREAD_STATE64, (thread_state_t)&state, &count) != KERN_SUCCESS)
    return false;
  for (int i = 0; i < REG_BP; i++)
    r->at[i] = state.__x[i];
  r->at[REG_BP] = mach_strip(arm_thread_state64_get_fp(state));
  r->at[REG_LR] = mach_strip(arm_thread_state64_get_lr(state));
  r->at[REG_SP] = mach_strip(arm_thread_state64_get_sp(state));
  r->at[REG_IP] = mach_strip(arm_thread_state64_get_pc(state));
  return true;
}

uint64_t
mach_strip(uint64_t address)
{
  return address & ADDRESS_BITS;
}

uint64_t
mach_leaf_return(const struct registers *r, uint64_t word, uint64_t *slot)
{
  (void)word;
  *slot = 0;
  return mach_strip(r->at[REG_LR]);
}
