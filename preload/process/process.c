#include "process.h"

#include "output_stderr.h"
#include "os/hot.h"
#include "os/kernel.h"
#include "preload_entry.h"
#include "common/config/builtin_site_rules.h"
#include "common/text/text_buffer.h"

#include <string.h>
#include <unistd.h>

struct process process = {.library = "",
                          .preload = {.value = ""},
                          .options = {.value = ""},
                          .events = {.value = ""},
                          .redirect_python = {.value = ""}};

IN_EACH_CHILD bool
process_is_child(void)
{
  return process.fork_id[0] && process.fork_pid == getpid();
}

IN_EACH_CHILD const struct env_options *
process_options(void)
{
  static struct env_options options;
  static _Atomic int state;  // 0 not parsed, 1 being parsed, 2 parsed

  int expected = 0;
  if (atomic_load_explicit(&state, memory_order_acquire) == 2)
    return &options;
  if (atomic_compare_exchange_strong(&state, &expected, 1)) {
    char bytes[2048];
    struct text warnings = {.bytes = bytes, .size = sizeof bytes};
    bytes[0] = 0;
    env_options_parse(&options, process.options.value, &warnings);
    process_path(process.exe, sizeof process.exe);
    atomic_store_explicit(&state, 2, memory_order_release);
    // The command has said so already.
    if (!process.events.value[0])
      output_stderr(&warnings);
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != 2)
    kernel_yield();
  return &options;
}

// The variables one after the other: only the pages in use cost.
static char kept[10240];
static size_t kept_length;

// NULL: no room.
static char *
keep_bytes(const char *bytes, size_t length)
{
  char *at = kept + kept_length;

  if (length >= sizeof kept - kept_length)
    return NULL;
  memcpy(at, bytes, length);
  at[length] = 0;
  kept_length += length + 1;
  return at;
}

static void
keep(struct variable *to, const char *text, const char *name)
{
  size_t n = strlen(name);
  char *copy = strncmp(text, name, n) == 0 ? keep_bytes(text, strlen(text)) : NULL;

  if (!copy)
    return;
  to->text = copy;
  to->value = copy + n;
}

static void
keep_library(const char *path)
{
  size_t length;
  const char *entry = preload_list_entry(process.preload.value, path, &length);
  const char *copy = entry ? keep_bytes(entry, length) : NULL;

  if (copy)
    process.library = copy;
}

void
process_start(char **environment, const char *preload, const char *library)
{
  process.preload_name = preload;
  for (char **e = environment; *e; e++) {
    if ((*e)[0] == preload[0])
      keep(&process.preload, *e, preload);
    else if ((*e)[0] == 'F') {
      keep(&process.events, *e, "FORKHOUND_EVENTS=");
      keep(&process.options, *e, "FORKHOUND_OPTIONS=");
      keep(&process.redirect_python, *e, "FORKHOUND_REDIRECT_PYTHON=");
    }
  }
  keep_library(library);
  output_start();
  if (!process.events.value[0] && strstr(process.options.value, "help=1") &&
      process_options()->help) {
    char bytes[4096];
    struct text help = {.bytes = bytes, .size = sizeof bytes};
    env_options_help(&help);
    output_stderr(&help);
  }
  if (!process.events.value[0] && strstr(process.options.value, "redirect=help") &&
      process_options()->redirect == REDIRECT_HELP) {
    char bytes[4096];
    struct text help = {.bytes = bytes, .size = sizeof bytes};
    sites_help(&help);
    output_stderr(&help);
  }
}
