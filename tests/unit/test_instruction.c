#include "inspect/x86_instruction.h"

#include <criterion/criterion.h>
#include <string.h>

static struct instruction
decoded(const char *code, size_t length)
{
  struct instruction instruction;
  cr_assert(instruction_decode((const uint8_t *)code, length, &instruction));
  return instruction;
}

static void
unfit(const char *code, size_t length)
{
  struct instruction instruction;
  cr_assert_not(instruction_decode((const uint8_t *)code, length, &instruction));
}

#define DECODED(code) decoded(code, sizeof code - 1)
#define UNFIT(code) unfit(code, sizeof code - 1)

Test(instruction, operands)
{
  struct instruction i = DECODED("\x8b\x05\x10\x00\x00\x00");  // mov 0x10(%rip),%eax
  cr_assert(i.memory && !i.stores && !i.locked && i.base == REGISTER_RIP && i.displacement == 0x10);
  cr_assert_eq(i.length, 6);
  i = DECODED("\x41\x89\x44\x8d\xf8");  // mov %eax,-8(%r13,%rcx,4)
  cr_assert(i.memory && i.stores && i.base == 13 && i.index == 1 && i.scale == 4);
  cr_assert_eq(i.displacement, -8);
  i = DECODED("\x64\x48\x8b\x04\x25\x28\x00\x00\x00");  // mov %fs:0x28,%rax
  cr_assert(i.memory && i.segment == 'f' && i.base == NO_REGISTER && i.index == NO_REGISTER);
  i = DECODED("\x8b\x04\x24");  // mov (%rsp),%eax
  cr_assert(i.memory && i.base == 4 && i.index == NO_REGISTER);
  i = DECODED("\x85\xc0");  // test %eax,%eax
  cr_assert_not(i.memory);
  i = DECODED("\x48\x8d\x45\x00");  // lea 0(%rbp),%rax
  cr_assert_not(i.memory);
}

Test(instruction, waiting)
{
  cr_assert(DECODED("\xf3\x90").pause);
  cr_assert_not(DECODED("\x90").pause);
  cr_assert(DECODED("\x0f\x05").syscall);
  cr_assert(DECODED("\x87\x07").locked);                  // xchg %eax,(%rdi)
  cr_assert(DECODED("\xf0\x0f\xb1\x17").locked);          // lock cmpxchg %edx,(%rdi)
  cr_assert_not(DECODED("\x0f\xb1\x17").locked);          // cmpxchg %edx,(%rdi)
  cr_assert(DECODED("\xff\x25\x00\x00\x00\x00").memory);  // jmp *0(%rip)
  cr_assert(DECODED("\x75\xfa").length == 2 && DECODED("\x0f\x85\x00\x00\x00\x00").length == 6);
}

Test(instruction, what_a_loop_that_waits_has_not)
{
  UNFIT("\x0f\x31");                  // rdtsc
  UNFIT("\xf3\xa4");                  // rep movsb
  UNFIT("\xf2\x0f\x58\xc1");          // addsd
  UNFIT("\xc5\xf8\x28\xc1");          // vmovaps
  UNFIT("\x62\xf1\x7c\x48\x28\xc1");  // vmovaps, 512 bits
  UNFIT("\x9c");                      // pushf
  UNFIT("\xcc");                      // int3
  UNFIT("\x66\x0f\xae\xf1");          // tpause: a clock
  UNFIT("\x8b\x05\x10\x00");          // cut short
  UNFIT("");
}
