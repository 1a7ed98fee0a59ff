#include "darwin_sample.h"
#include "base/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Waits that only another thread could end, by the stub of libsystem_kernel that is called.
// Sleeps, waits for data and waits for a child are none.
static const struct {
  const char *stub, *kind;
} waits[] = {
    {"__psynch_mutexwait", "pthread_mutex"},        {"__psynch_cvwait", "condition variable"},
    {"__psynch_rw_rdlock", "pthread_rwlock"},       {"__psynch_rw_wrlock", "pthread_rwlock"},
    {"__ulock_wait", "os_unfair_lock or its like"}, {"__ulock_wait2", "os_unfair_lock or its like"},
    {"semaphore_wait_trap", "semaphore"},
};

// "    + ! 2587 main  (in app) + 52  [0x1000]": how often, and the rest of the line; 0: no such
// line.
static long long
line_count(const char *line, const char **rest)
{
  char *end;
  line += strspn(line, " +!:|");
  long long count = isdigit((unsigned char)*line) ? strtoll(line, &end, 10) : 0;
  if (count <= 0 || *end != ' ')
    return 0;
  *rest = end + 1;
  return count;
}

static json_t *
frame_of(const char *line, size_t length)
{
  char *copy = xasprintf("%.*s", (int)length, line);
  char *in = strstr(copy, "  (in ");
  json_t *frame = NULL;
  if (in) {
    char *module = in + 6, *end = strchr(module, ')');
    *in = 0;
    if (end)
      *end = 0;
    char *function = escaped(copy), *safe = escaped(module);
    frame = strcmp(copy, "???") ? json_pack("{s:s, s:s}", "function", function, "module", safe)
                                : json_pack("{s:s}", "module", safe);
    free(function);
    free(safe);
  }
  free(copy);
  return frame;
}

static void
judge(struct sample *sample)
{
  const char *function =
      json_string_value(json_object_get(json_array_get(sample->stack, 0), "function"));
  for (size_t i = 0; function && i < sizeof waits / sizeof *waits; i++)
    if (!strcmp(function, waits[i].stub)) {
      sample->kind = waits[i].kind;
      sample->stub = waits[i].stub;
    }
}

// Each line is as often as the thread as a whole, or it was elsewhere too.
bool
sample_read(const char *text, struct sample *sample)
{
  static const char heading[] = "Call graph:\n";
  const char *line = strstr(text, heading), *rest;
  *sample = (struct sample){.count = 0};
  if (!line)
    return false;
  line += sizeof heading - 1;
  sample->count = line_count(line, &rest);
  bool whole = sample->count > 0 && !strncmp(rest, "Thread_", 7);
  sample->stack = json_array();
  while (whole && (line = strchr(line, '\n')) && line[1] != '\n' && line[1]) {
    line++;
    long long count = line_count(line, &rest);
    json_t *frame = count ? frame_of(rest, strcspn(rest, "\n")) : NULL;
    whole = count == sample->count && frame;
    if (whole)
      json_array_insert_new(sample->stack, 0, frame);
    else
      json_decref(frame);
  }
  if (!whole || json_array_size(sample->stack) == 0) {
    json_decref(sample->stack);
    return false;
  }
  judge(sample);
  return true;
}
