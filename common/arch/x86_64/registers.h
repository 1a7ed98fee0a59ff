// General registers of an x86-64 thread, in the numbering that libunwind and DWARF use.
#pragma once

#include <cpuid.h>
#include <stdatomic.h>
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

// Whether the system lets programs use XSAVE and XRSTOR.
static inline int
registers_have_xsave(void)
{
  static _Atomic int known;  // CPUID is slow in a virtual machine
  unsigned int a, b, c = 0, d;

  if (!known)
    known = __get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE ? 1 : -1;
  return known > 0;
}

// Clears what clone() hands down to a thread: the registers whose values a call preserves, but for
// the stack and frame pointers, and those of SSE, AVX and AVX-512. The stack pointer.
__attribute__((always_inline)) static inline uint64_t
registers_clear(void)
{
  // A saved state in which all components are initial (Intel SDM 1, 13.8: the header at 512 is 0).
  static const struct {
    _Alignas(64) uint32_t words[144];
  } initial = {{[6] = 0x1f80}};  // MXCSR, which is loaded in any case
  enum { VECTORS = 0xe6 };       // bits of components: SDM 1, 13.1
  uint32_t control;              // the thread keeps its MXCSR
  uint64_t sp;

  if (registers_have_xsave())
    __asm__ volatile("stmxcsr %0\n\t"
                     "xrstor %1\n\t"
                     "ldmxcsr %0"
                     : "=m"(control)
                     : "m"(initial), "a"(VECTORS), "d"(0)
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  __asm__ volatile("xorl %%ebx, %%ebx\n\t"
                   "xorl %%r12d, %%r12d\n\t"
                   "xorl %%r13d, %%r13d\n\t"
                   "xorl %%r14d, %%r14d\n\t"
                   "xorl %%r15d, %%r15d\n\t"
                   "movq %%rsp, %0"
                   : "=r"(sp)
                   :
                   : "rbx", "r12", "r13", "r14", "r15", "cc");
  return sp;
}
