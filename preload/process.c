#include "process.h"

#include "output.h"
#include "sites_known.h"
#include "text_buffer.h"

#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

struct process process = {
    .preload = {.value = ""}, .options = {.value = ""}, .events = {.value = ""}};

uint64_t
now_ns(clockid_t clock)
{
  struct timespec t;

  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool
process_is_child(void)
{
  return process.fork_id[0] && process.fork_pid == getpid();
}

const struct env_options *
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
    ssize_t n = readlink("/proc/self/exe", process.exe, sizeof process.exe - 1);
    process.exe[n > 0 ? n : 0] = 0;
    atomic_store_explicit(&state, 2, memory_order_release);
    // The command has said so already.
    if (!process.events.value[0])
      output_stderr(&warnings);
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != 2)
    __builtin_ia32_pause();
  return &options;
}

// The variables one after the other: only the pages in use cost.
static char kept[10240];
static size_t kept_length;

static void
keep(struct variable *to, char *text, const char *name)
{
  size_t n = strlen(name), length = strlen(text) + 1;

  if (strncmp(text, name, n) != 0 || length > sizeof kept - kept_length)
    return;
  to->text = memcpy(kept + kept_length, text, length);
  to->value = to->text + n;
  kept_length += length;
}

// glibc passes argc, argv and envp to constructors. getenv() does not work yet in an initfirst one.
__attribute__((constructor)) static void
start(int argc, char **argv, char **envp)
{
  (void)argc;
  (void)argv;
  process.secure = getauxval(AT_SECURE) != 0;
  if (process.secure)
    return;
  for (char **e = envp; *e; e++) {
    if ((*e)[0] == 'L')
      keep(&process.preload, *e, "LD_PRELOAD=");
    else if ((*e)[0] == 'F') {
      keep(&process.events, *e, "FORKHOUND_EVENTS=");
      keep(&process.options, *e, "FORKHOUND_OPTIONS=");
    }
  }
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
