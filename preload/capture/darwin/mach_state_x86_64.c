#include "mach_state.h"

bool
mach_state(thread_act_t port, struct registers *r)
{
  x86_thread_state64_t state = {0};
  mach_msg_type_number_t count = x86_THREAD_STATE64_COUNT;

  if (thread_get_state(port, x86_THREAD_STATE64, (thread_state_t)&state, &count) != KERN_SUCCESS)
    return false;
  *r = (struct registers){.at = {
                              [REG_AX] = state.__rax,
                              [REG_DX] = state.__rdx,
                              [REG_CX] = state.__rcx,
                              [REG_BX] = state.__rbx,
                              [REG_SI] = state.__rsi,
                              [REG_DI] = state.__rdi,
                              [REG_BP] = state.__rbp,
                              [REG_SP] = state.__rsp,
                              [REG_08] = state.__r8,
                              [REG_09] = state.__r9,
                              [REG_10] = state.__r10,
                              [REG_11] = state.__r11,
                              [REG_12] = state.__r12,
                              [REG_13] = state.__r13,
                              [REG_14] = state.__r14,
                              [REG_15] = state.__r15,
                              [REG_IP] = state.__rip,
                          }};
  return true;
}

uint64_t
mach_strip(uint64_t address)
{
  return address;
}

uint64_t
mach_leaf_return(const struct registers *r, uint64_t word, uint64_t *slot)
{
  *slot = r->at[REG_SP];
  return word;
}
