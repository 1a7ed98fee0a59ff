#include "print_python.h"
#include "base/json_fields.h"
#include "base/message.h"
#include "symbols/python_frame.h"

size_t
python_print_group(FILE *out, const json_t *python, size_t first, int indent)
{
  for (size_t count = json_array_size(python); first < count;) {
    const json_t *frame = json_array_get(python, first++);
    const char *file = get_string(frame, "file"), *function = get_string(frame, "function");
    long long line = get_integer(frame, "line");
    fprintf(out, "%*sFile \"", indent, "");
    put_escaped(out, file ? file : "?");
    if (line)
      fprintf(out, "\", line %lld, in ", line);
    else
      fputs("\", line ?, in ", out);
    put_escaped(out, function ? function : "?");
    fputc('\n', out);
    if (python_is_entry(frame))
      break;
  }
  return first;
}

void
python_print(FILE *out, const json_t *python, size_t first, int indent)
{
  while (first < json_array_size(python))
    first = python_print_group(out, python, first, indent);
}
