#include "finish_transfer.h"

#include "raw_syscall.h"

#include <stdint.h>
#include <sys/uio.h>

enum { RED_ZONE = 128 };

// What forkhound_resume_transfer finds at its stack pointer.
struct resume_frame {
  uint64_t rip;
  uint64_t done;  // bytes transferred before
  uint64_t rdi, rsi, rdx;
  uint64_t rsp;
};

// Transfers the rest, once: short of it again, a signal of the program's or the end of a device was
// the reason, as without us. Uses only what a system call clobbers: rax, rcx, r11 and the flags.
// The unwind tables lead to the code that called write(), for exceptions, cancellation and
// debuggers.
void forkhound_resume_transfer(void);
__asm__(".text\n"
        ".hidden forkhound_resume_transfer\n"
        ".globl forkhound_resume_transfer\n"
        ".type forkhound_resume_transfer,@function\n"
        "  nop\n"
        "forkhound_resume_transfer:\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        // The CFA is the stack pointer that was: rsp+40, dereferenced. The caller is at rsp.
        ".cfi_escape 0x0f, 3, 0x77, 40, 0x06\n"
        ".cfi_escape 0x10, 16, 2, 0x77, 0\n"
        "  syscall\n"
        "  testq %rax, %rax\n"
        "  jle 1f\n"
        "  addq %rax, 8(%rsp)\n"
        "1:\n"
        "  movq 8(%rsp), %rax\n"
        "  movq 16(%rsp), %rdi\n"
        "  movq 24(%rsp), %rsi\n"
        "  movq 32(%rsp), %rdx\n"
        "  movq (%rsp), %rcx\n"
        "  movq 40(%rsp), %rsp\n"
        ".cfi_def_cfa %rsp, 0\n"
        ".cfi_register %rip, %rcx\n"
        "  jmp *%rcx\n"
        ".cfi_endproc\n"
        ".size forkhound_resume_transfer,.-forkhound_resume_transfer\n");

bool
resume_transfer(pid_t pid, struct user_regs_struct *user)
{
  long number = (long)user->orig_rax;
  long done = (long)user->rax;

  bool random = number == SYS_getrandom;
  uint64_t wanted = random ? user->rsi : user->rdx;

  if ((number != SYS_write && number != SYS_sendto && !random) || done <= 0 ||
      (uint64_t)done >= wanted)
    return false;
  struct resume_frame frame = {
      .rip = user->rip,
      .done = user->rax,
      .rdi = user->rdi,
      .rsi = user->rsi,
      .rdx = user->rdx,
      .rsp = user->rsp,
  };
  uint64_t at = ((user->rsp - RED_ZONE) & ~15ul) - sizeof frame;
  struct iovec local = {&frame, sizeof frame};
  struct iovec remote = {(void *)at, sizeof frame};
  if (RAW(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0) != (long)sizeof frame)
    return false;
  user->rsp = at;
  user->rip = (uint64_t)(uintptr_t)forkhound_resume_transfer;
  if (random) {
    user->rdi += user->rax;
    user->rsi -= user->rax;
  } else {
    user->rsi += user->rax;
    user->rdx -= user->rax;
  }
  user->rax = (uint64_t)number;
  user->orig_rax = (uint64_t)-1;  // not in a system call: the kernel restarts nothing
  return true;
}
