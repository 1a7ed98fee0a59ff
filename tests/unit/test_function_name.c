#include "symbols/function_name.h"

#include <criterion/criterion.h>

Test(function_name, leaves_out_the_result_type)
{
  static const char *const names[][2] = {
      {"main", "main"},
      {"queue::push(int)", "queue::push(int)"},
      {"void std::__detail::__platform_wait<int>(int const*, int)",
       "std::__detail::__platform_wait<int>(int const*, int)"},
      {"std::vector<int, std::allocator<int> > make<int>(int)", "make<int>(int)"},
      {"std::__invoke_result<void (*)()>::type std::__invoke<void (*)()>(void (*&&)())",
       "std::__invoke<void (*)()>(void (*&&)())"},
      {"(anonymous namespace)::wait(int)", "(anonymous namespace)::wait(int)"},
      {"bool operator< <int>(pair<int> const&)", "operator< <int>(pair<int> const&)"},
      {"user::thing::operator()(int) const", "user::thing::operator()(int) const"},
      {"<user::S as core::fmt::Display>::fmt", "<user::S as core::fmt::Display>::fmt"},
      {"user::call::<fn() -> (), ()>", "user::call::<fn() -> (), ()>"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    cr_assert_str_eq(function_qualified(names[i][0]), names[i][1]);
  cr_assert_str_eq(function_qualified(NULL), "");
}

Test(function_name, knows_the_standard_libraries)
{
  static const char *const standard[] = {
      "std::mutex::lock()",
      "void std::__detail::__platform_wait<int>(int const*, int)",
      "std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)()> > >::_M_run()",
      "__gthread_mutex_lock",
      "__glibcxx_rwlock_wrlock",
      "<std::sys::sync::mutex::futex::Mutex>::lock_contended",
      "<&std::sync::poison::mutex::Mutex<u32> as core::fmt::Debug>::fmt",
      "core::ops::function::FnOnce::call_once::<fn() -> (), ()>",
      "<alloc::vec::Vec<u8>>::push",
      "std::thread::functions::park",
  };
  for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
    cr_assert(function_is_standard(standard[i]), "%s", standard[i]);
}

Test(function_name, knows_code_of_the_program)
{
  static const char *const own[] = {
      NULL,
      "",
      "main",
      "core::Engine::run(int)", /* a namespace of C++ may be called so */
      "alloc::(anonymous namespace)::take()",
      "std::vector<int, std::allocator<int> > make<int>(int)",
      "rust_lock::main::{closure#0}",
      "<user::Lock<std::sync::Mutex<u32>>>::lock",
      "stdlib::wait",
      "core_dump",
  };
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    cr_assert(!function_is_standard(own[i]), "%s", own[i]);
}

Test(function_name, tells_rust_from_cxx)
{
  cr_assert(function_is_rust("core::ptr::drop_in_place::<fn(u32)>"));
  cr_assert(!function_is_rust("core::Engine::run(int)"));
  cr_assert(!function_is_rust("main"));
  cr_assert(!function_is_rust(NULL));
}
