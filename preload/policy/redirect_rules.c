#include "redirect_rules.h"

#include "process/output_stderr.h"
#include "os/map.h"
#include "os/descriptor.h"
#include "os/memory.h"
#include "process/output.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "common/config/builtin_site_rules.h"
#include "common/text/text_buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { MOST_RULES = 1024, MOST_BYTES = 1 << 20 };

static struct site_rule *rules;
static int rule_count;

static void
complain(int line, const char *error)
{
  char bytes[1024];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  text_add_string(&t, "forkhound: sites file '");
  text_add_escaped(&t, process_options()->sites);
  if (line > 0)
    text_add(&t, "': line %d: %s\n", line, error);
  else
    text_add(&t, "': %s\n", error);
  output_stderr(&t);
}

static void
add_line(const char *text, int line)
{
  const char *error = NULL;

  if (rule_count == MOST_RULES)
    return;
  int found = sites_parse_line(text, &rules[rule_count], &error);
  if (found < 0)
    complain(line, error);
  else
    rule_count += found;
}

static void
read_file(void)
{
  const char *path = process_options()->sites;
  long fd = path[0] ? descriptor_open(path, O_RDONLY | O_NONBLOCK) : -1;

  if (!path[0])
    return;
  if (fd == -ENOENT && process_options()->redirect == REDIRECT_AUTO)
    return;  // it is written at the end
  if (fd < 0) {
    complain(0, strerrordesc_np((int)-fd));
    return;
  }
  char *bytes = memory_map(MOST_BYTES + 1);
  rules = memory_map(MOST_RULES * sizeof *rules);
  size_t length = 0;
  long n = 0;
  while (bytes && length < MOST_BYTES &&
         (n = RAW(SYS_read, fd, bytes + length, MOST_BYTES - length)) > 0)
    length += (size_t)n;
  descriptor_close(fd);
  int line = 0;
  for (char *next, *at = bytes; rules && at && *at; at = next) {
    size_t end = strcspn(at, "\n");
    next = at + end + (at[end] == '\n');
    at[end] = 0;
    add_line(at, ++line);
  }
  if (bytes)
    munmap(bytes, MOST_BYTES + 1);
}

struct site_rule
redirect_rules_find(const char *module, uint64_t offset, const char *function)
{
  static bool read;
  const struct site_rule *best = NULL;
  struct site_rule found = {.verdict = SITE_NONE};

  if (!read)
    read_file();
  read = true;
  for (int i = 0; i < rule_count; i++) {
    const struct site_rule *rule = &rules[i];
    if (sites_match(rule, module, offset, function))
      best = best ? sites_stronger(best, rule) : rule;
  }
  if (best)
    return *best;
  const char *why = sites_known(module, function);
  if (why) {
    found.verdict = SITE_ALLOW;
    snprintf(found.reason, sizeof found.reason, "%s", why);
  }
  return found;
}
