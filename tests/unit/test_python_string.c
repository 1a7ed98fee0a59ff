#include "common/cpython/utf8.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static char text[256];

Test(python_string, latin1)
{
  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)"caf\xe9\xff", 5, 1), 7);
  cr_assert_str_eq(text, "caf\xc3\xa9\xc3\xbf");
}

Test(python_string, two_and_four_bytes)
{
  static const uint16_t two[] = {0x7f, 0x80, 0x7ff, 0x800, 0x4e2d, 0xffff};
  static const uint32_t four[] = {'a', 0x10000, 0x1f40d, 0x10ffff};

  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)two, 6, 2), 14);
  cr_assert_str_eq(text, "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xe4\xb8\xad\xef\xbf\xbf");
  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)four, 4, 4), 13);
  cr_assert_str_eq(text, "a\xf0\x90\x80\x80\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf");
}

Test(python_string, file_names_that_are_not_utf8_keep_their_bytes)
{
  static const uint16_t name[] = {'a', 0xdcff, 0xdc80, '/'};

  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)name, 4, 2), 4);
  cr_assert_str_eq(text, "a\xff\x80/");
}

Test(python_string, what_is_no_character_is_replaced_or_refused)
{
  static const uint16_t surrogates[] = {0xd800, 0xdfff, 0};
  static const uint32_t beyond[] = {'a', 0x110000};

  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)surrogates, 3, 2), 9);
  cr_assert_str_eq(text, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  cr_assert_eq(python_utf8(text, sizeof text, (const unsigned char *)beyond, 2, 4), -1);
}

Test(python_string, no_character_is_cut)
{
  cr_assert_eq(python_utf8(text, 4, (const unsigned char *)"a\xe9\xe9", 3, 1), 3);
  cr_assert_str_eq(text, "a\xc3\xa9");
  cr_assert_eq(python_utf8(text, 1, (const unsigned char *)"a", 1, 1), 0);
  cr_assert_str_eq(text, "");
}
