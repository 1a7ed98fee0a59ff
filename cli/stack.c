#include "stack.h"
#include "json_get.h"
#include "text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FUNCTION_WIDTH = 48, FILE_WIDTH = 44 };

static bool
is_ours(const json_t *frame)
{
  return !strncmp(base_name(get_string(frame, "module")), "libforkhound.", 13);
}

static bool
is_libc(const json_t *frame)
{
  const char *name = base_name(get_string(frame, "module"));
  return !strncmp(name, "libc.so", 7) || !strncmp(name, "libc-2", 6) ||
         !strncmp(name, "libpthread", 10) || !strncmp(name, "ld-linux", 8);
}

/* "file:line", the file relative to the working directory where it lies below; "" if unknown. Not
 * escaped. */
static char *
location(const json_t *frame)
{
  const char *file = get_string(frame, "file");
  if (!file)
    return xstrdup("");
  static char *here;
  if (!here) {
    here = getcwd(NULL, 0);
    here = here ? here : xstrdup("");
  }
  size_t length = strlen(here);
  if (length > 1 && !strncmp(file, here, length) && file[length] == '/')
    file += length + 1;
  return xasprintf("%s:%lld", file, get_integer(frame, "line"));
}

static char *
in_module(const json_t *frame)
{
  const char *module = get_string(frame, "module");
  if (json_is_true(json_object_get(frame, "inlined")))
    return xstrdup("(inlined)");
  json_t *offset = json_object_get(frame, "offset");
  if (!module || !*module) {
    const char *pc = get_string(frame, "pc");
    return xstrdup(pc ? pc : "");
  }
  if (json_is_string(offset))
    return xasprintf("%s+%s", base_name(module), json_string_value(offset));
  return xasprintf("%s+0x%llx", base_name(module), (unsigned long long)json_integer_value(offset));
}

/* Characters that a terminal shows, for text that is escaped already. */
static size_t
width(const char *text)
{
  size_t count = 0;
  for (; *text; text++)
    count += ((unsigned char)*text & 0xc0) != 0x80;
  return count;
}

static void
put_column(FILE *out, const char *text, size_t columns)
{
  fputs(text, out);
  for (size_t n = width(text); n < columns; n++)
    fputc(' ', out);
  fputs("  ", out);
}

struct line {
  char *function, *location, *module;
};

static char *
escaped_and_free(char *text)
{
  char *safe = escaped(text);
  free(text);
  return safe;
}

void
stack_print(FILE *out, const json_t *stack, int indent)
{
  size_t count = json_array_size(stack), used = 0, skip = 0;
  while (skip < count && is_ours(json_array_get(stack, skip)))
    skip++;
  struct line *lines = xrealloc(NULL, (count + 1) * sizeof *lines);
  size_t function_width = 0, location_width = 0;
  for (size_t i = skip; i < count; i++) {
    const json_t *frame = json_array_get(stack, i);
    const char *function = get_string(frame, "function");
    struct line *line = &lines[used++];
    line->function = escaped(function ? function : "??");
    line->location = escaped_and_free(location(frame));
    line->module = escaped_and_free(in_module(frame));
    size_t f = width(line->function), l = width(line->location);
    if (f > function_width && f <= FUNCTION_WIDTH)
      function_width = f;
    if (l > location_width && l <= FILE_WIDTH)
      location_width = l;
  }
  for (size_t i = 0; i < used; i++) {
    fprintf(out, "%*s#%-2zu ", indent, "", i);
    put_column(out, lines[i].function, function_width);
    if (location_width || *lines[i].location)
      put_column(out, lines[i].location, location_width);
    fprintf(out, "%s\n", lines[i].module);
    free(lines[i].function);
    free(lines[i].location);
    free(lines[i].module);
  }
  if (!used)
    fprintf(out, "%*s(no stack)\n", indent, "");
  free(lines);
}

char *
stack_place(const json_t *stack)
{
  size_t i;
  json_t *frame = NULL, *first = NULL;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (!first && !is_ours(frame))
      first = frame;
    if (!is_ours(frame) && !is_libc(frame))
      break;
  }
  if (!frame || i >= json_array_size(stack))
    frame = first;
  if (!frame)
    return xstrdup("an unknown place");
  const char *function = get_string(frame, "function");
  char *where = location(frame);
  if (!*where) {
    free(where);
    where = in_module(frame);
  }
  if (!function)
    return where;
  char *place = xasprintf("%s in %s", where, function);
  free(where);
  return place;
}
