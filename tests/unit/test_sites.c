#include "common/config/site_rules.h"
#include "common/text/text_buffer.h"

#include <criterion/criterion.h>
#include <string.h>

static struct site_rule
parsed(const char *line)
{
  struct site_rule rule;
  const char *error = NULL;

  cr_assert_eq(sites_parse_line(line, &rule, &error), 1, "%s: %s", line, error);
  return rule;
}

static const char *
error_of(const char *line)
{
  struct site_rule rule;
  const char *error = "";

  cr_assert_eq(sites_parse_line(line, &rule, &error), -1, "%s", line);
  return error;
}

static const char *
formatted(const struct site_rule *rule)
{
  static char bytes[1024];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  sites_format_line(&t, rule);
  return bytes;
}

Test(sites, a_line_has_four_parts)
{
  struct site_rule rule = parsed("allow  libuv.so.1+0x1f2a3\tuv_spawn # checked by hand\n");

  cr_expect_eq(rule.verdict, SITE_ALLOW);
  cr_expect_str_eq(rule.module, "libuv.so.1");
  cr_expect(rule.has_offset);
  cr_expect_eq(rule.offset, 0x1f2a3);
  cr_expect_str_eq(rule.function, "uv_spawn");
  cr_expect_str_eq(rule.reason, "checked by hand");
  cr_expect_not(rule.learned);
}

Test(sites, comments_and_blank_lines_are_no_rules)
{
  struct site_rule rule;
  const char *error;

  cr_expect_eq(sites_parse_line("", &rule, &error), 0);
  cr_expect_eq(sites_parse_line(" \t\n", &rule, &error), 0);
  cr_expect_eq(sites_parse_line("  # allow a b\n", &rule, &error), 0);
}

Test(sites, errors_say_what_was_expected)
{
  cr_expect(strstr(error_of("permit a b"), "allow, deny or unknown"));
  cr_expect(strstr(error_of("allow"), "FILE"));
  cr_expect(strstr(error_of("allow a+0x12zz f"), "FILE+0xOFFSET"));
  cr_expect(strstr(error_of("allow a%4 f"), "FILE"));
  cr_expect(strstr(error_of("allow a"), "function"));
  cr_expect(strstr(error_of("allow a # f"), "function"));
  cr_expect(strstr(error_of("allow a f g"), "comment"));
}

Test(sites, a_name_may_hold_anything)
{
  struct site_rule rule = {.verdict = SITE_DENY, .has_offset = true, .offset = 0x10};

  strcpy(rule.module, "my prog#1%+x");
  strcpy(rule.function, "operator new");
  struct site_rule again = parsed(formatted(&rule));
  cr_expect_str_eq(again.module, rule.module);
  cr_expect_str_eq(again.function, rule.function);
  cr_expect_eq(again.offset, rule.offset);
}

Test(sites, what_was_learned_is_read_again)
{
  struct site_rule rule = {
      .verdict = SITE_UNKNOWN, .has_offset = true, .learned = true, .forks = 2};

  strcpy(rule.module, "app");
  strcpy(rule.function, "run");
  sites_conclude(&rule);
  struct site_rule again = parsed(formatted(&rule));
  cr_expect(again.learned);
  cr_expect_eq(again.forks, 2);
  cr_expect_eq(again.verdict, SITE_UNKNOWN);
}

Test(sites, an_edited_verdict_is_by_hand)
{
  cr_expect_not(parsed("allow app+0x1 run # learned deny: wrote the heap").learned);
  cr_expect(parsed("deny app+0x1 run # learned deny: wrote the heap").learned);
}

Test(sites, a_rule_fits_by_place_and_function)
{
  struct site_rule exact = parsed("allow app+0x10 run"), any = parsed("allow app ru*");
  struct site_rule unknown = parsed("allow app+0x10 -"), all = parsed("deny app *");

  cr_expect(sites_match(&exact, "app", 0x10, "run"));
  cr_expect(sites_match(&exact, "app", 0x10, "-"));
  cr_expect_not(sites_match(&exact, "app", 0x11, "run"));
  cr_expect_not(sites_match(&exact, "app", 0x10, "runs"), "built anew since");
  cr_expect_not(sites_match(&exact, "application", 0x10, "run"));
  cr_expect(sites_match(&any, "app", 0x99, "run_helper"));
  cr_expect_not(sites_match(&any, "app", 0x99, "trun"));
  cr_expect_not(sites_match(&any, "app", 0x99, "-"));
  cr_expect(sites_match(&unknown, "app", 0x10, "run"));
  cr_expect(sites_match(&all, "app", 0x10, "-"));
}

Test(sites, the_stronger_rule_holds)
{
  struct site_rule allow = parsed("allow app run"), deny = parsed("deny app run");
  struct site_rule exact = parsed("allow app+0x10 run");
  struct site_rule learned = parsed("deny app+0x10 run # learned deny: wrote the heap");

  cr_expect_eq(sites_stronger(&allow, &deny), &deny);
  cr_expect_eq(sites_stronger(&deny, &allow), &deny);
  cr_expect_eq(sites_stronger(&exact, &deny), &exact);
  cr_expect_eq(sites_stronger(&learned, &exact), &exact, "by hand");
}

static struct site_rule
learned(enum site_verdict verdict, unsigned forks, const char *reason)
{
  struct site_rule rule = {.verdict = verdict, .learned = true, .forks = forks};

  strcpy(rule.reason, reason);
  return rule;
}

Test(sites, three_safe_forks_allow)
{
  struct site_rule rule = learned(SITE_ALLOW, 1, ""), once = rule;

  sites_conclude(&rule);
  cr_expect_eq(rule.verdict, SITE_UNKNOWN);
  sites_add(&rule, &once);
  sites_add(&rule, &once);
  sites_conclude(&rule);
  cr_expect_eq(rule.verdict, SITE_ALLOW);
  cr_expect_str_eq(rule.reason, "3 forks, all safe");
}

Test(sites, the_first_denial_stays)
{
  struct site_rule rule = learned(SITE_ALLOW, 9, ""), safe = rule;
  struct site_rule heap = learned(SITE_DENY, 0, "wrote the heap");
  struct site_rule other = learned(SITE_DENY, 0, "ended without exec");

  sites_add(&rule, &heap);
  sites_add(&rule, &other);
  sites_add(&rule, &safe);
  sites_conclude(&rule);
  cr_expect_eq(rule.verdict, SITE_DENY);
  cr_expect_str_eq(rule.reason, "wrote the heap");
}

Test(sites, what_cannot_be_known_is_never_allowed)
{
  struct site_rule rule = learned(SITE_ALLOW, 9, "");
  struct site_rule blind = learned(SITE_UNKNOWN, 0, "no write tracking");

  sites_add(&rule, &blind);
  sites_conclude(&rule);
  cr_expect_eq(rule.verdict, SITE_UNKNOWN);
  cr_expect_str_eq(rule.reason, "no write tracking");
}
