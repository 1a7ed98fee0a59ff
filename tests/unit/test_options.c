#include "options.h"

#include "text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char bytes[4096];
static struct text warnings;
static struct options options;

static void
parse(const char *string)
{
  memset(bytes, 0, sizeof bytes);
  warnings = (struct text){.bytes = bytes, .size = sizeof bytes};
  options_parse(&options, string, &warnings);
}

Test(options, defaults)
{
  parse(NULL);
  cr_assert_eq(options.verbosity, 0);
  cr_assert_eq(options.max_frames, 64);
  cr_assert_eq(options.max_threads, 1000);
  cr_assert_eq(options.capture, CAPTURE_AUTO);
  cr_assert_str_eq(options.log_path, "");
  cr_assert_str_eq(bytes, "");
}

Test(options, reads_every_kind)
{
  parse("verbosity=2:log_path=/tmp/x.%p::capture=proc:help=1:max_threads=10000");
  cr_assert_eq(options.verbosity, 2);
  cr_assert_str_eq(options.log_path, "/tmp/x.%p");
  cr_assert_eq(options.capture, CAPTURE_PROC);
  cr_assert(options.help);
  cr_assert_eq(options.max_threads, 10000);
  cr_assert_str_eq(bytes, "");
}

Test(options, a_bad_value_is_named_and_the_rest_counts)
{
  parse("max_frames=banana:verbosity=1:max_threads=0:capture=often");
  cr_assert_eq(options.verbosity, 1);
  cr_assert_eq(options.max_frames, 64);
  cr_assert(strstr(bytes, "max_frames: expected a number from 1 to 256, got 'banana'"));
  cr_assert(strstr(bytes, "max_threads: expected a number from 1 to 10000, got '0'"));
  cr_assert(strstr(bytes, "capture: expected auto, ptrace, exact, proc or off, got 'often'"));
}

Test(options, unknown_keys_are_named_harmlessly)
{
  parse("verbosty=1:verbosity:\x1b[2J=1");
  cr_assert(strstr(bytes, "unknown key 'verbosty'"));
  cr_assert(strstr(bytes, "expected key=value, got 'verbosity'"));
  cr_assert(strstr(bytes, "unknown key '\\x1b[2J'"));
  cr_assert_null(strchr(bytes, '\x1b'));
}

Test(options, too_long_a_path_is_refused)
{
  char string[700] = "log_path=";
  memset(string + 9, 'a', 600);
  parse(string);
  cr_assert_str_eq(options.log_path, "");
  cr_assert(strstr(bytes, "longer than"));
}

// Any bytes: no crash (the sanitizer build watches), and every field stays in its range.
Test(options, survives_random_strings)
{
  static const char *const pieces[] = {"verbosity", "capture", "log_path", "=",
                                       ":",         "1",       "-",        "999999999999999999999",
                                       "auto",      "\xff",    "%p",       "::"};
  srand(1);
  for (int round = 0; round < 20000; round++) {
    char string[512] = "";
    for (int i = rand() % 24; i > 0; i--)
      strcat(string, pieces[rand() % (int)(sizeof pieces / sizeof pieces[0])]);
    parse(string);
    cr_assert(options.verbosity >= 0 && options.verbosity <= 3);
    cr_assert(options.capture <= CAPTURE_OFF);
  }
}
