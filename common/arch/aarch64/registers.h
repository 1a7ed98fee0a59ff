// General registers of an AArch64 thread, in the numbering that libunwind and DWARF use: 0 to 30
// are x0 to x30.
#pragma once

#include <stdint.h>

enum {
  REG_BP = 29,  // the frame pointer
  REG_LR,
  REG_SP,
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
  __asm__ volatile("stp x19, x20, [%0, #152]\n\t"
                   "stp x21, x22, [%0, #168]\n\t"
                   "stp x23, x24, [%0, #184]\n\t"
                   "stp x25, x26, [%0, #200]\n\t"
                   "stp x27, x28, [%0, #216]\n\t"
                   "stp x29, x30, [%0, #232]\n\t"
                   "mov x9, sp\n\t"
                   "adr x10, .\n\t"
                   "stp x9, x10, [%0, #248]"
                   :
                   : "r"(r)
                   : "x9", "x10", "memory");
}

// Clears the registers whose values a call preserves, but for the frame pointer: what a thread may
// have been handed down. The stack pointer.
__attribute__((always_inline)) static inline uint64_t
registers_clear(void)
{
  uint64_t sp;

  __asm__ volatile("mov x19, xzr\n\t"
                   "mov x20, xzr\n\t"
                   "mov x21, xzr\n\t"
                   "mov x22, xzr\n\t"
                   "mov x23, xzr\n\t"
                   "mov x24, xzr\n\t"
                   "mov x25, xzr\n\t"
                   "mov x26, xzr\n\t"
                   "mov x27, xzr\n\t"
                   "mov x28, xzr\n\t"
                   "mov %0, sp"
                   : "=r"(sp)
                   :
                   : "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28");
  return sp;
}
