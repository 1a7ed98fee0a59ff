// The entry of fork(), and the few steps that no C function can take: the child of a redirected
// fork goes on in the caller's stack, so its parent must leave that stack before it does anything.
// Offsets are those of struct borrow; the frame that is pushed is struct entry_frame.

#include <sys/syscall.h>

// Gives back what the entry has pushed: struct entry_frame but for the return address.
        .macro  pop_entry_frame
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        .endm

        .text

        .globl  fork, __fork, __libc_fork
        .type   fork, @function
        .type   __fork, @function
        .type   __libc_fork, @function
fork:
__fork:
__libc_fork:
        .cfi_startproc
        endbr64
        cmpb    $0, forkhound_redirects(%rip)
        je      forkhound_fork
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        movq    %rsp, %rdi
        call    borrow_enter
        testq   %rax, %rax
        jz      .Lreal
        movq    %rax, %rbx
        movl    $SYS_clone3, %eax
        leaq    64(%rbx), %rdi
        movl    $88, %esi
        syscall
        testq   %rax, %rax
        jz      .Lchild
        // The parent, or nobody's if there is no child. The CFA is the word at rbx + 64.
        movq    8(%rbx), %rsp
        .cfi_remember_state
        .cfi_escape 0x0f, 0x05, 0x73, 0x00, 0x06, 0x23, 0x40
        movq    %rbx, %rdi
        movq    %rax, %rsi
        call    borrow_wait
        movq    0(%rbx), %rsp
        .cfi_restore_state
        movq    %rbx, %rdi
        call    borrow_end
        jmp     .Lreturn
.Lchild:
        movq    %rbx, %rdi
        call    borrow_begin
        xorl    %eax, %eax
.Lreturn:
        .cfi_remember_state
        pop_entry_frame
        ret
.Lreal:
        .cfi_restore_state
        pop_entry_frame
        jmp     forkhound_fork
        .cfi_endproc
        .size   fork, . - fork
        .size   __fork, . - fork
        .size   __libc_fork, . - fork

// The function that called fork() returns in the child: its caller must not run in borrowed memory.
// No unwinder goes on from here.
        .globl  borrow_returns
        .hidden borrow_returns
        .type   borrow_returns, @function
        .cfi_startproc
        .cfi_undefined rip
        nop
borrow_returns:
        endbr64
        subq    $8, %rsp
        pushq   %rax
        pushq   %rdx
        subq    $40, %rsp
        movups  %xmm0, 0(%rsp)
        movups  %xmm1, 16(%rsp)
        call    borrow_returned
        movq    %rax, 56(%rsp)
        movups  0(%rsp), %xmm0
        movups  16(%rsp), %xmm1
        addq    $40, %rsp
        popq    %rdx
        popq    %rax
        ret
        .cfi_endproc
        .size   borrow_returns, . - borrow_returns

// void borrow_leave(struct borrow *): off the borrowed stack, to the end.
        .globl  borrow_leave
        .hidden borrow_leave
        .type   borrow_leave, @function
borrow_leave:
        .cfi_startproc
        .cfi_undefined rip
        movq    16(%rdi), %rsp
        call    borrow_left
        ud2
        .cfi_endproc
        .size   borrow_leave, . - borrow_leave

// Where a signal handler of ours returns to.
        .globl  borrow_restorer
        .hidden borrow_restorer
        .type   borrow_restorer, @function
borrow_restorer:
        movl    $SYS_rt_sigreturn, %eax
        syscall
        .size   borrow_restorer, . - borrow_restorer

// The library executed as a program: ends with the status that its first argument spells, two
// letters from a to p. So a borrowed child ends under the process id that it had.
        .globl  borrow_ender
        .hidden borrow_ender
        .type   borrow_ender, @function
borrow_ender:
        movq    16(%rsp), %rsi
        movzbl  0(%rsi), %edi
        subl    $'a', %edi
        shll    $4, %edi
        movzbl  1(%rsi), %eax
        subl    $'a', %eax
        orl     %eax, %edi
        movl    $SYS_exit_group, %eax
        syscall
        hlt
        .size   borrow_ender, . - borrow_ender

        .section .note.GNU-stack, "", @progbits
