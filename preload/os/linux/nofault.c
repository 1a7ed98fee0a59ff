#include "os/nofault.h"

#include "raw_syscall.h"

#include <signal.h>
#include <ucontext.h>

// As the kernel takes it (arch/x86/include/uapi/asm/signal.h).
struct kernel_sigaction {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};

// The instruction that reads, and where it is left when it faults: rcx holds what remains (Intel
// SDM, volume 2, "REP": the registers are those of the last iteration that was done).
size_t forkhound_nofault_copy(void *to, uint64_t from, size_t length);
extern const char forkhound_nofault_read[], forkhound_nofault_end[];
void forkhound_nofault_return(void);
__asm__(".text\n"
        ".hidden forkhound_nofault_copy, forkhound_nofault_read, forkhound_nofault_end\n"
        ".hidden forkhound_nofault_return\n"
        ".globl forkhound_nofault_copy, forkhound_nofault_read, forkhound_nofault_end\n"
        ".globl forkhound_nofault_return\n"
        ".type forkhound_nofault_copy,@function\n"
        "forkhound_nofault_copy:\n"
        ".cfi_startproc\n"
        "  movq %rdx, %rcx\n"
        "forkhound_nofault_read:\n"
        "  rep movsb\n"
        "forkhound_nofault_end:\n"
        "  movq %rcx, %rax\n"
        "  ret\n"
        ".cfi_endproc\n"
        ".size forkhound_nofault_copy,.-forkhound_nofault_copy\n"
        ".type forkhound_nofault_return,@function\n"
        "forkhound_nofault_return:\n"
        "  movl $15, %eax\n"  // SYS_rt_sigreturn
        "  syscall\n"
        "  hlt\n"
        ".size forkhound_nofault_return,.-forkhound_nofault_return\n");

static void
on_fault(int signal, siginfo_t *info, void *context)
{
  greg_t *at = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

  (void)signal;
  (void)info;
  if (*at != (greg_t)(uintptr_t)forkhound_nofault_read)
    RAW(SYS_exit, 1);
  *at = (greg_t)(uintptr_t)forkhound_nofault_end;
}

void
nofault_start(void)
{
  enum { RESTORER = 0x04000000 };  // SA_RESTORER
  const struct kernel_sigaction action = {on_fault, SA_SIGINFO | RESTORER, forkhound_nofault_return,
                                          ~0ul};
  const uint64_t faults = 1ul << (SIGSEGV - 1) | 1ul << (SIGBUS - 1);

  RAW(SYS_rt_sigaction, SIGSEGV, &action, 0, sizeof action.mask);
  RAW(SYS_rt_sigaction, SIGBUS, &action, 0, sizeof action.mask);
  RAW(SYS_rt_sigprocmask, SIG_UNBLOCK, &faults, 0, sizeof faults);
}

size_t
nofault_copy(void *to, size_t length, uint64_t address)
{
  return length - forkhound_nofault_copy(to, address, length);
}
