// General registers of an x86-64 thread, in the numbering that libunwind and DWARF use.
#pragma once

#include <stdint.h>

enum {
  REG_AX,
  REG_DX,
  REG_CX,
  REG_BX,
  REG_SI,
  REG_DI,
  REG_BP,
  REG_SP,
  REG_08,
  REG_09,
  REG_10,
  REG_11,
  REG_12,
  REG_13,
  REG_14,
  REG_15,
  REG_IP,
  REGISTERS,
};

struct registers {
  uint64_t at[REGISTERS];
};

// The registers as they are here: what a call preserves, the stack pointer and the address of the
// next instruction. The others are 0. No call, no memory but *r.
__attribute__((always_inline)) static inline void
registers_here(struct registers *r)
{
  for (int i = 0; i < REGISTERS; i++)
    r->at[i] = 0;
  __asm__ volatile("movq %%rbx, 24(%0)\n\t"
                   "movq %%rbp, 48(%0)\n\t"
                   "movq %%rsp, 56(%0)\n\t"
                   "movq %%r12, 96(%0)\n\t"
                   "movq %%r13, 104(%0)\n\t"
                   "movq %%r14, 112(%0)\n\t"
                   "movq %%r15, 120(%0)\n\t"
                   "leaq 0(%%rip), %%rax\n\t"
                   "movq %%rax, 128(%0)"
                   :
                   : "r"(r)
                   : "rax", "memory");
}
