#include "learn/return_trap.h"

#include <criterion/criterion.h>
#include <execinfo.h>

static int returns;
static bool waited;

static void
on_return(void)
{
  returns++;
}

// The return address stands above the saved frame pointer.
#define SLOT ((uint64_t *)__builtin_frame_address(0) + 1)

static __attribute__((noinline)) double
trapped(long a, double b)
{
  cr_assert(return_trap_set(SLOT, on_return));
  waited = return_trap_waits();
  return (double)a * b;
}

Test(return_trap, results_arrive)
{
  cr_expect_eq(trapped(3, 2.5), 7.5);
  cr_expect(waited);
  cr_expect_eq(returns, 1);
  cr_expect_not(return_trap_waits());
}

static __attribute__((noinline)) long
removed(long a)
{
  cr_assert(return_trap_set(SLOT, on_return));
  return_trap_remove();
  return a + 1;
}

Test(return_trap, can_be_removed)
{
  cr_expect_eq(removed(4), 5);
  cr_expect_eq(returns, 0);
}

// No tail call, which would leave the frame before.
#define STAY __asm__ volatile("" ::: "memory")

static __attribute__((noinline)) int
traced(void **addresses, int most)
{
  cr_assert(return_trap_set(SLOT, on_return));
  int n = backtrace(addresses, most);
  STAY;
  return n;
}

static __attribute__((noinline)) int
plain(void **addresses, int most)
{
  int n = backtrace(addresses, most);
  STAY;
  return n;
}

// One frame more, of the stub: the callers are all there.
Test(return_trap, a_backtrace_passes)
{
  void *with[64], *without[64];
  int n = traced(with, 64), m = plain(without, 64);

  cr_assert_eq(n, m + 1);
  cr_expect_eq(returns, 1);
  for (int i = 1; i < 5 && i < m - 2; i++)
    cr_expect_eq(with[n - i], without[m - i]);
}
