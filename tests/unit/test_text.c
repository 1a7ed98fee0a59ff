#include "common/text/text_buffer.h"

#include <criterion/criterion.h>
#include <string.h>

static char bytes[256];
static struct text t;

static void
setup(void)
{
  memset(bytes, 0, sizeof bytes);
  t = (struct text){.bytes = bytes, .size = sizeof bytes};
}

TestSuite(text, .init = setup);

Test(text, keeps_utf8_and_escapes_control_bytes)
{
  text_add_escaped(&t, "caf\xc3\xa9 \x1b[31m\x7f \xff \xc2\x9b");
  cr_assert_str_eq(bytes, "caf\xc3\xa9 \\x1b[31m\\x7f \\xff \\xc2\\x9b");
}

Test(text, json_is_valid_for_any_bytes)
{
  text_add_json(&t, "a\"b\\c\n\x01\xf0\x9f\x98\x80\xed\xa0\x80");
  cr_assert_str_eq(bytes, "\"a\\\"b\\\\c\\u000a\\u0001\xf0\x9f\x98\x80\\ufffd\\ufffd\\ufffd\"");
}

Test(text, a_cut_sequence_at_the_end_is_not_read_past)
{
  text_add_json(&t, "x\xe2\x82");
  cr_assert_str_eq(bytes, "\"x\\ufffd\\ufffd\"");
}

Test(text, what_does_not_fit_is_dropped_and_remembered)
{
  t.size = 8;
  text_add(&t, "%s", "0123456789");
  cr_assert(t.truncated);
  cr_assert_eq(t.length, 7);
  cr_assert_str_eq(bytes, "0123456");
  text_add(&t, "more");
  cr_assert_eq(t.length, 7);
}
