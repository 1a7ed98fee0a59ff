#include "interposed.h"
#include "libc/next_symbol.h"
#include "process/unsafe_calls.h"

#include <criterion/criterion.h>
#include <dlfcn.h>

#define INTERPOSED(result, symbol, parameters) #symbol,
#define CALL(symbol, ...) #symbol,
static const char *const shadowed[] = {FH_INTERPOSED(INTERPOSED) FH_UNSAFE_CALLS(CALL)
                                           FH_BORROWED_CALLS(CALL)};

static void *
module_of(void *function)
{
  Dl_info info;

  return dladdr(function, &info) ? info.dli_fbase : NULL;
}

// dlsym() with a handle finds the newest version in every glibc. ASan's functions stand before it.
Test(next_symbol, is_what_programs_are_linked_with_today)
{
  void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

  cr_assert_not_null(libc);
  for (size_t i = 0; i < sizeof shadowed / sizeof shadowed[0]; i++) {
    void *next = next_symbol(shadowed[i]), *today = dlsym(libc, shadowed[i]);
    cr_expect(next == today || (next && module_of(next) != module_of(today)), "%s", shadowed[i]);
  }
  dlclose(libc);
}

Test(next_symbol, is_none_where_nothing_has_the_name)
{
  cr_expect_null(next_symbol("forkhound_has_no_such_function"));
}
