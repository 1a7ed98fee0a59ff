#include "model/suppressions.h"

#include "common/text/pattern.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

Test(suppress, patterns)
{
  cr_assert(pattern_fits("foo", "libfoo.so"));
  cr_assert(pattern_fits("^lib*.so$", "libfoo.so"));
  cr_assert(pattern_fits("*", ""));
  cr_assert(pattern_fits("^$", ""));
  cr_assert(pattern_fits("a*b*c", "xxaybzc"));
  cr_assert_not(pattern_fits("^foo", "libfoo.so"));
  cr_assert_not(pattern_fits("foo$", "libfoo.so"));
  cr_assert_not(pattern_fits("a*b*c$", "abcd"));
}

static struct suppressions
read_lines(const char *lines)
{
  struct suppressions suppressions = {0};
  char path[] = "/tmp/forkhound-suppress-XXXXXX";
  int fd = mkstemp(path);

  cr_assert(fd >= 0 && dprintf(fd, "%s", lines) > 0);
  close(fd);
  suppressions_read(&suppressions, path);
  unlink(path);
  return suppressions;
}

static json_t *
fork_event(void)
{
  return json_loads("{\"site\":[{\"function\":\"fork_here\",\"module\":\"/bin/app\"}],"
                    "\"others\":[{\"thread\":\"pool-1\",\"group\":\"libfoo.so\"},"
                    "{\"thread\":\"pool-2\",\"group\":\"libbar.so\","
                    "\"stack\":[{\"function\":\"bar_wait\"}]}]}",
                    0, NULL);
}

Test(suppress, broken_lines_are_left_out)
{
  struct suppressions s = read_lines("# a comment\n\n  hazard:x\nnonsense\nhazard:\ndeadlock:y\n");

  cr_assert_eq(s.count, 2);
  cr_assert_str_eq(s.list[0].pattern, "x");
  suppressions_free(&s);
}

Test(suppress, the_site_covers_all)
{
  json_t *fork = fork_event();
  struct suppressions s = read_lines("hazard:^fork_here$\n");

  cr_assert(suppressed(&s, "hazard", fork));
  cr_assert_eq(s.list[0].matched, 1);
  cr_assert_not(suppressed(&s, "deadlock", fork));
  suppressions_free(&s);
  json_decref(fork);
}

Test(suppress, every_thread_must_be_covered)
{
  json_t *fork = fork_event();
  struct suppressions one = read_lines("hazard:libfoo\n");
  struct suppressions both = read_lines("hazard:libfoo\nhazard:^bar_*\n");

  cr_assert_not(suppressed(&one, "hazard", fork));
  cr_assert(suppressed(&both, "hazard", fork));
  suppressions_free(&one);
  suppressions_free(&both);
  json_decref(fork);
}
