#include "common/config/env_options.h"

#include "common/text/text_buffer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char bytes[4096];
static struct text warnings;
static struct env_options options;

static void
parse(const char *string)
{
  memset(bytes, 0, sizeof bytes);
  warnings = (struct text){.bytes = bytes, .size = sizeof bytes};
  env_options_parse(&options, string, &warnings);
}

Test(env_options, defaults)
{
  parse(NULL);
  cr_assert_eq(options.verbosity, 0);
  cr_assert_eq(options.max_frames, 64);
  cr_assert_eq(options.max_threads, 1000);
  cr_assert_eq(options.capture, CAPTURE_AUTO);
  cr_assert_str_eq(options.log_path, "");
  cr_assert_str_eq(bytes, "");
}

Test(env_options, reads_every_kind)
{
  parse("verbosity=2:log_path=/tmp/x.%p::capture=proc:help=1:max_threads=10000");
  cr_assert_eq(options.verbosity, 2);
  cr_assert_str_eq(options.log_path, "/tmp/x.%p");
  cr_assert_eq(options.capture, CAPTURE_PROC);
  cr_assert(options.help);
  cr_assert_eq(options.max_threads, 10000);
  cr_assert_str_eq(bytes, "");
}

Test(env_options, reads_the_command_s_keys)
{
  parse("exitcode=9:color=never:strip_path_prefix=/src/:suppressions=a b:print_suppressions=1");
  cr_assert_eq(options.exitcode, 9);
  cr_assert_eq(options.color, COLOR_NEVER);
  cr_assert_str_eq(options.strip_path_prefix, "/src/");
  cr_assert_str_eq(options.suppressions, "a b");
  cr_assert(options.print_suppressions);
  cr_assert_str_eq(bytes, "");
}

Test(env_options, a_word_of_the_help_is_no_choice)
{
  parse("color=or:capture=how:capture=");
  cr_assert_eq(options.color, COLOR_AUTO);
  cr_assert_eq(options.capture, CAPTURE_AUTO);
  cr_assert(strstr(bytes, "color: expected auto, always or never, got 'or'"));
  cr_assert(strstr(bytes, "expected auto, ptrace, exact, proc or off, got 'how'"));
  cr_assert(strstr(bytes, "expected auto, ptrace, exact, proc or off, got ''"));
}

Test(env_options, a_bad_value_is_named_and_the_rest_counts)
{
  parse("max_frames=banana:verbosity=1:max_threads=0:capture=often");
  cr_assert_eq(options.verbosity, 1);
  cr_assert_eq(options.max_frames, 64);
  cr_assert(strstr(bytes, "max_frames: expected a number from 1 to 256, got 'banana'"));
  cr_assert(strstr(bytes, "max_threads: expected a number from 1 to 10000, got '0'"));
  cr_assert(strstr(bytes, "capture: expected auto, ptrace, exact, proc or off, got 'often'"));
}

Test(env_options, unknown_keys_are_named_harmlessly)
{
  parse("verbosty=1:verbosity:\x1b[2J=1");
  cr_assert(strstr(bytes, "unknown key 'verbosty'"));
  cr_assert(strstr(bytes, "expected key=value, got 'verbosity'"));
  cr_assert(strstr(bytes, "unknown key '\\x1b[2J'"));
  cr_assert_null(strchr(bytes, '\x1b'));
}

Test(env_options, too_long_a_path_is_refused)
{
  char string[700] = "log_path=";
  memset(string + 9, 'a', 600);
  parse(string);
  cr_assert_str_eq(options.log_path, "");
  cr_assert(strstr(bytes, "longer than"));
}

// Any bytes: no crash (the sanitizer build watches), and every field stays in its range.
Test(env_options, survives_random_strings)
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
