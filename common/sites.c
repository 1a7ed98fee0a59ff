#include "sites.h"

#include "text_buffer.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"", "allow", "deny", "unknown"};

static const char *
word(const char *at, char *to, size_t size)
{
  size_t n = strcspn(at, " \t#");

  if (n >= size)
    n = size - 1;
  memcpy(to, at, n);
  to[n] = 0;
  at += strcspn(at, " \t#");
  return at + strspn(at, " \t");
}

int
sites_parse_line(const char *line, struct site_rule *rule, const char **error)
{
  char verdict[16], place[96];

  memset(rule, 0, sizeof *rule);
  line += strspn(line, " \t");
  if (!*line || *line == '#')
    return 0;
  line = word(line, verdict, sizeof verdict);
  for (int i = SITE_ALLOW; i <= SITE_UNKNOWN; i++) {
    if (strcmp(verdict, words[i]) == 0)
      rule->verdict = (enum site_verdict)i;
  }
  *error = "expected allow, deny or unknown, then MODULE or MODULE+0xOFFSET, then a function or -";
  if (rule->verdict == SITE_NONE)
    return -1;
  line = word(line, place, sizeof place);
  char *plus = strstr(place, "+0x");
  if (plus) {
    char *end;
    rule->offset = strtoull(plus + 1, &end, 16);
    rule->has_offset = true;
    if (*end)
      return -1;
    *plus = 0;
  }
  strncpy(rule->module, place, sizeof rule->module - 1);
  line = word(line, rule->function, sizeof rule->function);
  if (!rule->module[0] || !rule->function[0])
    return -1;
  if (*line == '#')
    strncpy(rule->reason, line + 1 + strspn(line + 1, " \t"), sizeof rule->reason - 1);
  return 1;
}

void
sites_format_line(struct text *t, const struct site_rule *rule)
{
  text_add(t, "%s %s+0x%lx %s # %s\n", words[rule->verdict], rule->module,
           (unsigned long)rule->offset, rule->function, rule->reason);
}

static bool
fits(const char *pattern, const char *text)
{
  for (; *pattern && *pattern != '*'; pattern++, text++) {
    if (*pattern != *text)
      return false;
  }
  if (!*pattern)
    return !*text;
  for (pattern++;; text++) {
    if (fits(pattern, text))
      return true;
    if (!*text)
      return false;
  }
}

bool
sites_match(const struct site_rule *rule, const char *module, uint64_t offset,
            const char *function)
{
  if (strcmp(rule->module, module) != 0)
    return false;
  if (rule->has_offset)
    return rule->offset == offset;
  return fits(rule->function, function);
}
