#include "return_trap.h"

#include "shadow_stack.h"

#include <stddef.h>

static uint64_t *trapped;
static void (*returned)(void);
// Read by the stub, and by unwinders.
__attribute__((visibility("hidden"))) uint64_t forkhound_return_address;

extern const unsigned char forkhound_return_trap[] __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) void
forkhound_returned(void)
{
  trapped = NULL;
  returned();
}

// At its entry the stack is as the function's caller expects it after the call. To an unwinder the
// stub is the caller of the function, and forkhound_return_address the return address of the stub
// (DW_CFA_val_expression for column 16, DWARF 5 section 6.4.2.3): its distance stands before the
// stub, whose own address is in that column for the frames inside. The nop is there because
// unwinders look for the tables of the byte before a return address. The stub and its caller have
// the same canonical frame address, by which unwinders tell frames apart; for the caller of a
// signal frame they do so in another way, and take its address as it is, not of the byte before: so
// the stub is one, and gives that byte. A function's results are in rax, rdx, xmm0 and xmm1 (x86-64
// psABI 3.2.3).
__asm__(".text\n"
        ".p2align 4\n"
        "1:\n"
        "  .long forkhound_return_address - 1b\n"
        ".type forkhound_return_trap,@function\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        ".cfi_def_cfa rsp, 0\n"
        // breg16 -5, dup, deref_size 4, plus, deref, lit1, minus
        ".cfi_escape 0x16, 16, 9, 0x80, 0x7b, 0x12, 0x94, 4, 0x22, 0x06, 0x31, 0x1c\n"
        "  nop\n"
        ".globl forkhound_return_trap\n"
        ".hidden forkhound_return_trap\n"
        "forkhound_return_trap:\n"
        "  pushq forkhound_return_address(%rip)\n"
        ".cfi_endproc\n"
        ".cfi_startproc\n"
        "  pushq %rax\n"
        ".cfi_def_cfa_offset 16\n"
        "  pushq %rdx\n"
        ".cfi_def_cfa_offset 24\n"
        "  subq $40, %rsp\n"
        ".cfi_def_cfa_offset 64\n"
        "  movaps %xmm0, 0(%rsp)\n"
        "  movaps %xmm1, 16(%rsp)\n"
        "  call forkhound_returned\n"
        "  movaps 0(%rsp), %xmm0\n"
        "  movaps 16(%rsp), %xmm1\n"
        "  addq $40, %rsp\n"
        ".cfi_def_cfa_offset 24\n"
        "  popq %rdx\n"
        ".cfi_def_cfa_offset 16\n"
        "  popq %rax\n"
        ".cfi_def_cfa_offset 8\n"
        "  ret\n"
        ".cfi_endproc\n"
        ".size forkhound_return_trap,.-forkhound_return_trap\n");

bool
return_trap_set(uint64_t *slot, void (*handler)(void))
{
  if (shadow_stack_on())
    return false;
  forkhound_return_address = *slot;
  returned = handler;
  trapped = slot;
  *slot = (uint64_t)(uintptr_t)forkhound_return_trap;
  return true;
}

bool
return_trap_waits(void)
{
  return trapped && (uint64_t *)__builtin_frame_address(0) < trapped &&
         *trapped == (uint64_t)(uintptr_t)forkhound_return_trap;
}

void
return_trap_remove(void)
{
  if (return_trap_waits())
    *trapped = forkhound_return_address;
  trapped = NULL;
}
