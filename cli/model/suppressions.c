#include "suppressions.h"
#include "base/open_file.h"
#include "base/json_fields.h"
#include "common/text/pattern.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

static void
add(struct suppressions *suppressions, const char *type, const char *pattern, bool built_in)
{
  suppressions->list =
      xrealloc(suppressions->list, (suppressions->count + 1) * sizeof *suppressions->list);
  suppressions->list[suppressions->count++] = (struct suppression){
      .type = xstrdup(type), .pattern = xstrdup(pattern), .built_in = built_in};
}

void
suppressions_add_built_in(struct suppressions *suppressions)
{
  // Workers of the kernel for io_uring are tasks of the process, but run no code of it: they can
  // hold none of its locks (Linux, io_uring/io-wq.c and sqpoll.c; kernel/fork.c,
  // create_io_thread()).
  add(suppressions, "hazard", "^iou-wrk-", true);
  add(suppressions, "hazard", "^iou-sqp-", true);
}

static void
add_line(struct suppressions *suppressions, const char *path, size_t number, char *line)
{
  static const char *const types[] = {"hazard", "suspect", "deadlock"};
  line[strcspn(line, "\r\n")] = 0;
  line += strspn(line, " \t");
  if (!*line || *line == '#')
    return;
  char *colon = strchr(line, ':');
  for (size_t i = 0; colon && colon[1] && i < sizeof types / sizeof *types; i++) {
    size_t length = strlen(types[i]);
    if ((size_t)(colon - line) != length || strncmp(line, types[i], length) != 0)
      continue;
    add(suppressions, types[i], colon + 1, false);
    return;
  }
  message("%s:%zu: expected hazard:PATTERN, suspect:PATTERN or deadlock:PATTERN, got '%s'", path,
          number, line);
}

void
suppressions_read(struct suppressions *suppressions, const char *path)
{
  FILE *file = open_stream(path, "r");
  char *line = NULL;
  size_t size = 0, number = 0;
  if (!file)
    die("--suppressions: %s: %m", path);
  while (getline(&line, &size, file) >= 0)
    add_line(suppressions, path, ++number, line);
  if (ferror(file))
    die("--suppressions: %s: %m", path);
  free(line);
  fclose(file);
}

void
suppressions_free(struct suppressions *suppressions)
{
  for (size_t i = 0; i < suppressions->count; i++) {
    free(suppressions->list[i].type);
    free(suppressions->list[i].pattern);
  }
  free(suppressions->list);
  *suppressions = (struct suppressions){0};
}

static bool
fits_field(const char *pattern, const json_t *object, const char *key)
{
  const char *text = get_string(object, key);
  return text && pattern_fits(pattern, text);
}

static bool
fits_stack(const char *pattern, const json_t *stack)
{
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (fits_field(pattern, frame, "function") || fits_field(pattern, frame, "file") ||
        fits_field(pattern, frame, "module"))
      return true;
  }
  return false;
}

// The first suppression of the type that fits; counts it.
static bool
any_fits(struct suppressions *suppressions, const char *type,
         bool (*fits)(const struct suppression *s, const json_t *what), const json_t *what)
{
  for (size_t i = 0; i < suppressions->count; i++) {
    struct suppression *s = &suppressions->list[i];
    if (strcmp(s->type, type) != 0 || !fits(s, what))
      continue;
    s->matched++;
    return true;
  }
  return false;
}

static bool
fits_site(const struct suppression *s, const json_t *fork)
{
  return !s->built_in && (fits_stack(s->pattern, get_array(fork, "site")) ||
                          fits_stack(s->pattern, get_array(fork, "python")));
}

static bool
fits_thread(const struct suppression *s, const json_t *thread)
{
  const char *pattern = s->pattern;
  if (s->built_in || fits_field(pattern, thread, "thread"))
    return fits_field(pattern, thread, "thread");
  return fits_field(pattern, thread, "group") || fits_stack(pattern, get_array(thread, "stack")) ||
         fits_stack(pattern, get_array(thread, "python")) ||
         fits_stack(pattern, get_array(thread, "created_by"));
}

bool
suppressed(struct suppressions *suppressions, const char *type, const json_t *fork)
{
  size_t i;
  json_t *thread, *others = get_array(fork, "others");
  if (!suppressions->count)
    return false;
  if (any_fits(suppressions, type, fits_site, fork))
    return true;
  json_array_foreach(others, i, thread)
  {
    if (!any_fits(suppressions, type, fits_thread, thread))
      return false;
  }
  return json_array_size(others) > 0;
}

static bool
fits_frames(const struct suppression *s, const json_t *stack)
{
  return !s->built_in && fits_stack(s->pattern, stack);
}

bool
suppressed_stack(struct suppressions *suppressions, const char *type, const json_t *stack)
{
  return any_fits(suppressions, type, fits_frames, stack);
}

void
suppressions_print(const struct suppressions *suppressions, FILE *out)
{
  for (size_t i = 0; i < suppressions->count; i++) {
    const struct suppression *s = &suppressions->list[i];
    if (!s->matched)
      continue;
    char *pattern = escaped(s->pattern);
    fprintf(out, "forkhound: suppressed: %u %s:%s\n", s->matched, s->type, pattern);
    free(pattern);
  }
}
