#include "base/json_fields.h"
#include "text_fork.h"
#include "text_parts.h"
#include "base/message.h"

#include <stdlib.h>

// The threads of one process: those from number `first` on with its pid. Returns the number of the
// next.
static size_t
put_process(FILE *out, json_t *others, size_t first)
{
  long long pid = get_integer(json_array_get(others, first), "pid");
  char *exe = escaped(base_name(get_string(json_array_get(others, first), "exe")));
  json_t *event = json_pack("{s:[]}", "others");
  size_t i = first;
  for (; i < json_array_size(others); i++) {
    json_t *thread = json_array_get(others, i);
    if (get_integer(thread, "pid") != pid)
      break;
    json_array_append(json_object_get(event, "others"), thread);
  }
  fprintf(out, "  Process %lld (%s) was at:\n", pid, exe);
  render_other_threads(out, event, false);
  json_decref(event);
  free(exe);
  return i;
}

static void
put_given_up(FILE *out, const json_t *event)
{
  json_t *others = get_array(event, "others");
  char *why = escaped(get_string(event, "why"));
  fprintf(out, "forkhound: ended the program: %s\n", why);
  for (size_t i = 0; i < json_array_size(others);)
    i = put_process(out, others, i);
  free(why);
}

void
render_given_up(const struct style *style, const json_t *event)
{
  char *text = NULL;
  size_t size = 0;
  FILE *buffer = open_memstream(&text, &size);
  if (!buffer)
    return;
  put_given_up(buffer, event);
  if (!fclose(buffer))
    fwrite(text, 1, size, style->out);
  free(text);
  fflush(style->out);
}
