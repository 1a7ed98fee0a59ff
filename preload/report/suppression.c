#include "suppression.h"

#include "process/output_stderr.h"
#include "os/map.h"
#include "os/descriptor.h"
#include "os/kernel.h"
#include "os/memory.h"
#include "process/output.h"
#include "common/text/pattern.h"
#include "unwind/symbol.h"
#include "common/text/text_buffer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

enum { FILE_BYTES = 64 * 1024 };

static void
warn(const char *path, const char *what)
{
  static _Atomic bool warned;
  char bytes[1024];
  struct text warning = {.bytes = bytes, .size = sizeof bytes};

  if (warned)
    return;
  warned = true;
  text_add(&warning, "forkhound: suppressions '");
  text_add_escaped(&warning, path);
  text_add(&warning, "': %s\n", what);
  output_stderr(&warning);
}

// Fills `to` with the patterns of the `hazard` lines, each ended by a NUL, and an empty one last.
static bool
read_patterns(const char *path, char *to)
{
  long fd = descriptor_open(path, O_RDONLY | O_NONBLOCK);
  long length = 0, n = 1;

  if (fd < 0) {
    warn(path, "cannot be opened");
    return false;
  }
  while (n > 0 && length < FILE_BYTES - 2) {
    n = kernel_read(fd, to + length, (size_t)(FILE_BYTES - 2 - length));
    length += n > 0 ? n : 0;
  }
  descriptor_close(fd);
  if (n != 0)
    warn(path, n < 0 ? "cannot be read" : "longer than 64 KiB: the rest is left out");
  to[length] = 0;

  char *kept = to;
  for (char *line = to; *line;) {
    size_t whole = strcspn(line, "\n");
    char *next = line + whole + (line[whole] != 0);
    line[whole] = 0;
    line[strcspn(line, "\r")] = 0;
    line += strspn(line, " \t");
    if (strncmp(line, "hazard:", 7) == 0 && line[7]) {
      size_t size = strlen(line + 7) + 1;
      memmove(kept, line + 7, size);
      kept += size;
    }
    line = next;
  }
  *kept = 0;
  return kept > to;
}

static bool
any_fits(const char *patterns, const char *text)
{
  for (; *patterns; patterns += strlen(patterns) + 1) {
    if (pattern_fits(patterns, text))
      return true;
  }
  return false;
}

static bool
fits_stack(const char *patterns, const struct story *story, const struct story_stack *stack,
           bool first_is_return_address)
{
  char name[512];

  for (int i = 0; i < stack->count; i++) {
    uint64_t pc = stack->frames[i].pc - (i > 0 || first_is_return_address);
    const struct module *m = modules_find(story->modules, pc);
    if (m && (any_fits(patterns, m->path) ||
              (symbol_find(m->path, pc - m->base, name, sizeof name) && any_fits(patterns, name))))
      return true;
  }
  return false;
}

static bool
fits_python(const char *patterns, const struct story_python *python)
{
  for (int i = 0; i < python->count; i++) {
    if (any_fits(patterns, python->frames[i].function) ||
        any_fits(patterns, python->frames[i].file))
      return true;
  }
  return false;
}

static bool
fits_thread(const char *patterns, const struct story *story, const struct story_thread *thread)
{
  return any_fits(patterns, thread->name) || any_fits(patterns, thread->group) ||
         fits_stack(patterns, story, &thread->stack, false) ||
         fits_python(patterns, &thread->python) ||
         fits_stack(patterns, story, &thread->created_by, true);
}

static bool
fits(const char *patterns, const struct story *story)
{
  if (fits_stack(patterns, story, &story->site, true) || fits_python(patterns, &story->python))
    return true;
  for (int i = 0; i < story->other_count; i++) {
    if (!fits_thread(patterns, story, &story->others[i]))
      return false;
  }
  return story->other_count > 0;
}

bool
suppression_fits(const struct story *story)
{
  const char *path = process_options()->suppressions;
  char *patterns = path[0] ? memory_map(FILE_BYTES) : NULL;

  if (!patterns)
    return false;
  bool fitted = read_patterns(path, patterns) && fits(patterns, story);
  symbol_done();
  munmap(patterns, FILE_BYTES);
  return fitted;
}
