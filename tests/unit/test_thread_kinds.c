#include "threads/thread_kinds.h"

#include <criterion/criterion.h>

static char routines[100];

Test(thread_kinds, same_place_and_routine_is_one_kind)
{
  int a = thread_kind_enter(&routines[0], &routines[1]);
  int b = thread_kind_enter(&routines[0], &routines[1]);
  int c = thread_kind_enter(&routines[0], &routines[2]);

  cr_assert_eq(a, b);
  cr_assert_neq(a, c);
  cr_assert_eq(thread_kinds(), (uint64_t)1 << a | (uint64_t)1 << c);
}

Test(thread_kinds, lives_as_long_as_its_last_thread)
{
  int a = thread_kind_enter(&routines[0], &routines[1]);
  thread_kind_enter(&routines[0], &routines[1]);

  thread_kind_leave(a);
  cr_assert_eq(thread_kinds(), (uint64_t)1 << a);
  thread_kind_leave(a);
  cr_assert_eq(thread_kinds(), 0);
}

Test(thread_kinds, those_without_room_share_the_last_bit)
{
  int last = 0;

  for (int i = 0; i < 70; i++)
    last = thread_kind_enter(&routines[i], &routines[i]);
  cr_assert(thread_kinds() & THREAD_KIND_REST);
  cr_assert_eq(thread_kind_enter(&routines[80], &routines[80]), last);
}

Test(thread_kinds, a_fork_child_has_none_and_knows_them_all)
{
  int a = thread_kind_enter(&routines[0], &routines[1]);

  thread_kinds_forget();
  cr_assert_eq(thread_kinds(), 0);
  cr_assert_eq(thread_kind_enter(&routines[0], &routines[1]), a);
}
