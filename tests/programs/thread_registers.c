// Tells how many registers of a thread hold an address of its creator's stack where its start
// routine begins.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { GENERAL = 12, VECTORS = 32 };  // 8 bytes each

static struct {
  _Alignas(64) uint64_t general[GENERAL];
  uint64_t vectors[VECTORS];  // xmm0 to xmm15
} at_start;

__attribute__((naked)) static void *
start(void *to)
{
  (void)to;
  __asm__("movq %rax, 0(%rdi)\n\t"
          "movq %rbx, 8(%rdi)\n\t"
          "movq %rcx, 16(%rdi)\n\t"
          "movq %rdx, 24(%rdi)\n\t"
          "movq %rsi, 32(%rdi)\n\t"
          "movq %r8, 40(%rdi)\n\t"
          "movq %r9, 48(%rdi)\n\t"
          "movq %r10, 56(%rdi)\n\t"
          "movq %r12, 64(%rdi)\n\t"
          "movq %r13, 72(%rdi)\n\t"
          "movq %r14, 80(%rdi)\n\t"
          "movq %r15, 88(%rdi)\n\t"
          "movups %xmm0, 96(%rdi)\n\t"
          "movups %xmm1, 112(%rdi)\n\t"
          "movups %xmm2, 128(%rdi)\n\t"
          "movups %xmm3, 144(%rdi)\n\t"
          "movups %xmm4, 160(%rdi)\n\t"
          "movups %xmm5, 176(%rdi)\n\t"
          "movups %xmm6, 192(%rdi)\n\t"
          "movups %xmm7, 208(%rdi)\n\t"
          "movups %xmm8, 224(%rdi)\n\t"
          "movups %xmm9, 240(%rdi)\n\t"
          "movups %xmm10, 256(%rdi)\n\t"
          "movups %xmm11, 272(%rdi)\n\t"
          "movups %xmm12, 288(%rdi)\n\t"
          "movups %xmm13, 304(%rdi)\n\t"
          "movups %xmm14, 320(%rdi)\n\t"
          "movups %xmm15, 336(%rdi)\n\t"
          "xorl %eax, %eax\n\t"
          "ret");
}

int
main(void)
{
  enum { BELOW = 64 * 1024, ABOVE = 4096 };
  const uint64_t *words = at_start.general;
  uint64_t here = (uint64_t)(uintptr_t)&words;
  pthread_t thread;
  int found = 0;

  if (pthread_create(&thread, NULL, start, &at_start) != 0 || pthread_join(thread, NULL) != 0)
    return 1;
  for (int i = 0; i < GENERAL + VECTORS; i++) {
    if (words[i] > here - BELOW && words[i] < here + ABOVE)
      found++;
  }
  printf("%d\n", found);
  return 0;
}
