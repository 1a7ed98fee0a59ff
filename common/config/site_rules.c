#include "site_rules.h"

#include "common/text/pattern.h"
#include "common/text/text_buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"", "allow", "deny", "unknown"};
static const char mark[] = "learned ";

const char *
sites_word(enum site_verdict verdict)
{
  return words[verdict];
}

enum site_verdict
sites_verdict(const char *word)
{
  for (int i = SITE_ALLOW; i <= SITE_UNKNOWN; i++) {
    if (strcmp(word, words[i]) == 0)
      return (enum site_verdict)i;
  }
  return SITE_NONE;
}

static int
hex_digit(char c)
{
  const char *digits = "0123456789abcdef";
  const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

  return at ? (int)(at - digits) : -1;
}

// A column, unescaped; false if it does not fit or is badly escaped.
static bool
column(const char **line, char *to, size_t size)
{
  const char *at = *line;
  size_t n = 0;

  for (; *at && !strchr(" \t\n#", *at); at++) {
    char c = *at;
    if (c == '%') {
      int high = hex_digit(at[1]), low = high < 0 ? -1 : hex_digit(at[2]);
      if (low < 0)
        return false;
      c = (char)(high * 16 + low);
      at += 2;
    }
    if (n + 1 >= size || !c)
      return false;
    to[n++] = c;
  }
  to[n] = 0;
  *line = at + strspn(at, " \t");
  return true;
}

// MODULE+0xOFFSET, of which the last part may be missing.
static bool
split_offset(char *place, struct site_rule *rule)
{
  char *plus = strrchr(place, '+'), *end;

  if (plus && plus[1] == '0' && plus[2] == 'x' && hex_digit(plus[3]) >= 0) {
    rule->offset = strtoull(plus + 1, &end, 16);
    if (*end)
      return false;
    rule->has_offset = true;
    *plus = 0;
  }
  if (!*place || strlen(place) >= sizeof rule->module)
    return false;
  memcpy(rule->module, place, strlen(place) + 1);
  return true;
}

static void
take_reason(const char *comment, struct site_rule *rule)
{
  const char *word = words[rule->verdict];
  size_t n = sizeof mark - 1, length = strlen(word);

  comment += strspn(comment, "# \t");
  rule->learned = rule->has_offset && strncmp(comment, mark, n) == 0 &&
                  strncmp(comment + n, word, length) == 0 &&
                  strncmp(comment + n + length, ": ", 2) == 0;
  if (rule->learned) {
    comment += n + length + 2;
    if (rule->verdict != SITE_DENY)
      rule->forks = (unsigned)strtoul(comment, NULL, 10);
  }
  snprintf(rule->reason, sizeof rule->reason, "%.*s", (int)strcspn(comment, "\n"), comment);
}

int
sites_parse_line(const char *line, struct site_rule *rule, const char **error)
{
  char word[16], place[128];

  memset(rule, 0, sizeof *rule);
  line += strspn(line, " \t");
  if (!*line || strchr("\n#", *line))
    return 0;
  *error = "expected allow, deny or unknown first";
  if (!column(&line, word, sizeof word) || !(rule->verdict = sites_verdict(word)))
    return -1;
  *error = "expected FILE or FILE+0xOFFSET second";
  if (!column(&line, place, sizeof place) || !split_offset(place, rule))
    return -1;
  *error = "expected a function, a pattern of * or - third";
  if (!column(&line, rule->function, sizeof rule->function) || !rule->function[0])
    return -1;
  *error = "expected nothing but a comment after the function";
  if (*line && *line != '#' && *line != '\n')
    return -1;
  take_reason(line, rule);
  return 1;
}

// Padded to `width`.
static void
add_column(struct text *t, const char *name, size_t width)
{
  size_t begin = t->length;

  for (; *name; name++) {
    unsigned char c = (unsigned char)*name;
    if (c <= ' ' || c == '#' || c == '%' || c == 0x7f)
      text_add(t, "%%%02x", c);
    else
      text_add(t, "%c", c);
  }
  do
    text_add_string(t, " ");
  while (t->length - begin < width && !t->truncated);
}

void
sites_format_line(struct text *t, const struct site_rule *rule)
{
  char place[128];

  text_add(t, "%-8s ", words[rule->verdict]);
  if (rule->has_offset)
    snprintf(place, sizeof place, "%s+0x%" PRIx64, rule->module, rule->offset);
  else
    snprintf(place, sizeof place, "%s", rule->module);
  add_column(t, place, 28);
  add_column(t, rule->function, 20);
  if (rule->learned || rule->reason[0])
    text_add_string(t, "# ");
  if (rule->learned)
    text_add(t, "%s%s: ", mark, words[rule->verdict]);
  text_add_escaped(t, rule->reason);
  text_add_string(t, "\n");
}

static bool
function_fits(const char *pattern, const char *function)
{
  char bounded[sizeof((struct site_rule *)0)->function + 2];

  snprintf(bounded, sizeof bounded, "^%.95s$", pattern);
  return pattern_fits(bounded, function);
}

bool
sites_match(const struct site_rule *rule, const char *module, uint64_t offset, const char *function)
{
  if (strncmp(rule->module, module, sizeof rule->module - 1) != 0)
    return false;
  if (rule->has_offset && rule->offset != offset)
    return false;
  if (strcmp(rule->function, "-") == 0 || strcmp(function, "-") == 0)
    return rule->has_offset || strcmp(rule->function, "*") == 0;
  return function_fits(rule->function, function);
}

static int
strength(const struct site_rule *rule)
{
  static const int of_verdict[] = {0, 1, 3, 2};

  return (rule->has_offset ? 8 : 0) + (rule->learned ? 0 : 4) + of_verdict[rule->verdict];
}

const struct site_rule *
sites_stronger(const struct site_rule *a, const struct site_rule *b)
{
  return strength(b) > strength(a) ? b : a;
}

void
sites_add(struct site_rule *rule, const struct site_rule *later)
{
  if (rule->verdict == SITE_DENY)
    return;
  if (later->verdict == SITE_DENY || later->forks == 0) {
    rule->verdict = later->verdict;
    rule->forks = 0;
    memcpy(rule->reason, later->reason, sizeof rule->reason);
  } else {
    rule->forks += later->forks;
  }
}

void
sites_conclude(struct site_rule *rule)
{
  const char *s = rule->forks == 1 ? "" : "s";

  if (rule->verdict == SITE_DENY || rule->forks == 0)
    return;
  rule->verdict = rule->forks >= SITES_FORKS ? SITE_ALLOW : SITE_UNKNOWN;
  struct text t = {.bytes = rule->reason, .size = sizeof rule->reason};
  bool allowed = rule->verdict == SITE_ALLOW;
  text_add(&t, "%u fork%s, %ssafe%s", rule->forks, s, allowed ? "all " : "",
           allowed ? "" : "; 3 are needed");
}
