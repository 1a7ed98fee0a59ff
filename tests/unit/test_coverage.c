#include "inspect/coverage.h"

#include <criterion/criterion.h>

#define LINE(path) "7f0000000000-7f0000001000 r-xp 00000000 08:01 123    " path "\n"

Test(coverage, what_a_program_has_loaded)
{
  static const char name[] = "libforkhound.so";

  cr_assert_eq(coverage_of_maps(LINE("/usr/bin/app"), name), LOADED_NOT_YET);
  cr_assert_eq(coverage_of_maps(LINE("/usr/bin/app") LINE("/x/libforkhound.so"), name),
               LOADED_LIBRARY);
  cr_assert_eq(coverage_of_maps(LINE("/lib/libc.so.6") LINE("/x/libforkhound.so (deleted)"), name),
               LOADED_LIBRARY);
  cr_assert_eq(coverage_of_maps(LINE("/usr/bin/app") LINE("/lib/libc.so.6"), name), LOADED_WITHOUT);
  cr_assert_eq(coverage_of_maps(LINE("/lib/libc.so.6") LINE("/x/notlibforkhound.so"), name),
               LOADED_WITHOUT);
  cr_assert_eq(coverage_of_maps(LINE("/lib/libc.so.6") LINE("/x/libforkhound.so.old"), name),
               LOADED_WITHOUT);
  cr_assert_eq(coverage_of_maps(LINE("/lib/libc.so.6.1"), name), LOADED_NOT_YET);
}
