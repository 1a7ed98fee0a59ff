#include "sites_file.h"

#include "os/map.h"
#include "os/descriptor.h"
#include "os/memory.h"
#include "process/output.h"
#include "process/process.h"
#include "raw_syscall.h"
#include "common/text/text_buffer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

enum { FILE_BYTES = 1 << 20 };

static bool
says_enough(const char *line, const struct site_rule *rule)
{
  struct site_rule known;
  const char *error;

  return sites_parse_line(line, &known, &error) == 1 &&
         (!known.learned || known.verdict == rule->verdict) &&
         sites_match(&known, rule->module, rule->offset, rule->function);
}

static bool
is_listed(const struct site_rule *rule, char *text)
{
  long n, length = 0, fd = descriptor_open(process_options()->sites, O_RDONLY | O_NONBLOCK);
  bool listed = false;

  if (fd < 0)
    return false;
  while ((n = RAW(SYS_read, fd, text + length, FILE_BYTES - 1 - length)) > 0)
    length += n;
  descriptor_close(fd);
  text[length] = 0;
  for (char *end; !listed && (end = strchr(text, '\n')); text = end + 1) {
    *end = 0;
    listed = says_enough(text, rule);
  }
  return listed;
}

void
sites_file_add(const struct site_rule *rule)
{
  char bytes[1024], *text;
  struct text line = {.bytes = bytes, .size = sizeof bytes};

  if (process.events.value[0] || !process_options()->sites[0] || !(text = memory_map(FILE_BYTES)))
    return;
  if (!is_listed(rule, text)) {
    sites_format_line(&line, rule);
    output_append(process_options()->sites, "the sites file", &line);
  }
  munmap(text, FILE_BYTES);
}
