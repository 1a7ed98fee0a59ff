#include "shadow_stack.h"

#include <criterion/criterion.h>
#include <errno.h>

static int asked;
static long result;
static uint64_t features;

static long
kernel(int command, uint64_t *answer)
{
  asked = command;
  if (result == 0)
    *answer = features;
  return result;
}

// ARCH_SHSTK_STATUS; its bits are ARCH_SHSTK_SHSTK and ARCH_SHSTK_WRSS.
Test(shadow_stack, is_known_by_its_bit)
{
  features = 1;
  cr_expect(shadow_stack_told(kernel));
  cr_expect_eq(asked, 0x5005);
  features = 3;
  cr_expect(shadow_stack_told(kernel));
  features = 2;
  cr_expect_not(shadow_stack_told(kernel));
  features = 0;
  cr_expect_not(shadow_stack_told(kernel));
}

Test(shadow_stack, is_not_there_where_the_kernel_refuses)
{
  features = 1;
  result = -EINVAL;
  cr_expect_not(shadow_stack_told(kernel));
  result = -EOPNOTSUPP;
  cr_expect_not(shadow_stack_told(kernel));
}

Test(shadow_stack, this_test_has_none)
{
  cr_expect_not(shadow_stack_on());
}
