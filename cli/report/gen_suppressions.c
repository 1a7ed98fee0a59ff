#include "gen_suppressions.h"
#include "symbols/frame.h"
#include "base/json_fields.h"
#include "text_fork.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <stdlib.h>
#include <string.h>

// The innermost frame that is neither ours nor libc's, or NULL.
static const json_t *
telling_frame(const json_t *stack)
{
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)stack, i, frame)
  {
    const char *module = base_name(get_string(frame, "module"));
    if (strncmp(module, "libforkhound.", 13) != 0 && strncmp(module, "libc.so", 7) != 0 &&
        strncmp(module, "libc-2", 6) != 0)
      return frame;
  }
  return NULL;
}

// A function is more telling than a file, and that than a module. In a pattern only * anywhere and
// $ at the end stand for something else; a name with them still fits itself.
static void
put_line(FILE *out, json_t *done, const char *type, const json_t *frame, const char *comment)
{
  static const char *const fields[] = {"function", "file", "module"};
  const char *name = NULL;
  for (size_t i = 0; !name && i < sizeof fields / sizeof *fields; i++)
    name = get_string(frame, fields[i]);
  char *safe = escaped(comment);
  char *line = name ? xasprintf("%s:^%s$", type, name) : NULL;
  if (!line || strpbrk(line, "\r\n")) {
    fprintf(out, "# no line for: %s %s\n", type, safe);
  } else if (!json_object_get(done, line)) {
    fprintf(out, "# %s %s\n%s\n", type, safe, line);
    json_object_set_new(done, line, json_true());
  }
  free(safe);
  free(line);
}

// One for each thread that was alive: the fork is silenced where all are covered.
static void
put_threads(FILE *out, json_t *done, const json_t *event, const char *place)
{
  size_t i;
  json_t *thread;
  json_array_foreach(get_array(event, "others"), i, thread)
  {
    const json_t *frame = telling_frame(get_array(thread, "stack"));
    json_t *group = json_pack("{s:O?}", "module", json_object_get(thread, "group"));
    put_line(out, done, "hazard", frame ? frame : group, place);
    json_decref(group);
  }
}

// The function that forks; but main() has called nearly everything.
static void
put_hazard(FILE *out, json_t *done, const struct site *site)
{
  json_t *event = fork_stacks(site->hazard);
  symbolize_event(event);
  const json_t *frame = json_array_get(json_object_get(event, "python"), 0);
  if (!frame)
    frame = telling_frame(get_array(event, "site"));
  char *place = render_place(site->hazard);
  const char *function = get_string(frame, "function");
  if (function && !strcmp(function, "main"))
    put_threads(out, done, event, place);
  else
    put_line(out, done, "hazard", frame, place);
  free(place);
}

static void
put_finding(FILE *out, json_t *done, json_t *event)
{
  symbolize_event(event);
  json_t *stack = get_array(event, "stack");
  char *place = stack_place(stack);
  put_line(out, done, get_string(event, "event"), telling_frame(stack), place);
  free(place);
}

void
gen_suppressions(FILE *out, const struct model *model)
{
  json_t *done = json_object();
  for (size_t i = 0; i < model->site_count; i++)
    if (model->sites[i]->hazard)
      put_hazard(out, done, model->sites[i]);
  for (size_t i = 0; i < model->fork_count; i++)
    if (model->forks[i]->finding && !model->forks[i]->finding_suppressed)
      put_finding(out, done, model->forks[i]->finding);
  for (size_t i = 0; i < json_array_size(model->strays); i++)
    put_finding(out, done, json_array_get(model->strays, i));
  json_decref(done);
  fflush(out);
}
