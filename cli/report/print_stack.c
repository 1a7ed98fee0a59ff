#include "print_stack.h"
#include "base/json_fields.h"
#include "print_python.h"
#include "base/message.h"
#include "symbols/frame.h"
#include "symbols/python_frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FUNCTION_WIDTH = 48, FILE_WIDTH = 44 };

// Characters that a terminal shows, for text that is escaped already.
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
  bool evaluates;  // Python frames
};

static char *
escaped_and_free(char *text)
{
  char *safe = escaped(text);
  free(text);
  return safe;
}

enum { PYTHON_INDENT = 4 };  // below the function, after its number

// `python`: frames that match the stack, or NULL.
static void
print(FILE *out, const json_t *stack, const json_t *python, int indent)
{
  size_t count = json_array_size(stack), used = 0, shown = 0;
  struct line *lines = xrealloc(NULL, (count + 1) * sizeof *lines);
  size_t function_width = 0, location_width = 0;
  for (size_t i = 0; i < count; i++) {
    const json_t *frame = json_array_get(stack, i);
    if (frame_is_ours(frame))  // also below libc's syscall(), which is interposed
      continue;
    const char *function = get_string(frame, "function");
    struct line *line = &lines[used++];
    line->evaluates = python_evaluates(frame);
    line->function = escaped(function ? function : "??");
    line->location = escaped_and_free(frame_location(frame));
    line->module = escaped_and_free(frame_in_module(frame));
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
    if (python && lines[i].evaluates)
      shown = python_print_group(out, python, shown, indent + PYTHON_INDENT);
  }
  if (!used)
    fprintf(out, "%*s(no stack)\n", indent, "");
  free(lines);
  if (python && shown < json_array_size(python)) {
    fprintf(out, "%*sfurther out, of the part of the stack that is not known:\n", indent, "");
    python_print(out, python, shown, indent + PYTHON_INDENT);
  }
}

void
stack_print(FILE *out, const json_t *stack, int indent)
{
  print(out, stack, NULL, indent);
}

void
stack_print_thread(FILE *out, const json_t *thread, const char *key, int indent)
{
  const json_t *stack = get_array(thread, key), *python = get_array(thread, "python");
  const char *exact = get_string(thread, "exact");
  bool cut = json_is_true(json_object_get(thread, "python_cut"));
  if (!json_array_size(python)) {
    print(out, stack, NULL, indent);
    return;
  }
  if (!stack) {
    python_print(out, python, 0, indent);
  } else if (python_matches(stack, python, cut, exact && !strcmp(exact, "approximate"))) {
    print(out, stack, python, indent);
  } else {
    print(out, stack, NULL, indent);
    fprintf(out, "%*sPython, not matched with the frames above:\n", indent, "");
    python_print(out, python, 0, indent + PYTHON_INDENT);
  }
  if (cut)
    fprintf(out, "%*s...\n", indent + PYTHON_INDENT, "");
}
