#include "process.h"

#include "budget.h"
#include "exec.h"
#include "fork.h"
#include "interpose.h"
#include "output.h"
#include "text_buffer.h"

#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

struct process process;

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
    env_options_parse(&options, process.options_string, &warnings);
    ssize_t n = readlink("/proc/self/exe", process.exe, sizeof process.exe - 1);
    process.exe[n > 0 ? n : 0] = 0;
    atomic_store_explicit(&state, 2, memory_order_release);
    // The command has said so already.
    if (!process.events[0])
      output_stderr(&warnings);
  }
  while (atomic_load_explicit(&state, memory_order_acquire) != 2)
    __builtin_ia32_pause();
  return &options;
}

static void
keep(char *to, size_t size, const char *variable, const char *name)
{
  size_t n = strlen(name);

  if (strncmp(variable, name, n) != 0)
    return;
  size_t length = strlen(variable + n);
  if (length < size)
    memcpy(to, variable + n, length + 1);
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
      keep(process.preload, sizeof process.preload, *e, "LD_PRELOAD=");
    else if ((*e)[0] == 'F') {
      keep(process.events, sizeof process.events, *e, "FORKHOUND_EVENTS=");
      keep(process.options_string, sizeof process.options_string, *e, "FORKHOUND_OPTIONS=");
    }
  }
  fh_real_resolve();
  output_start();
  budget_start();
  fork_start();
  exec_start();
  if (!process.events[0] && strstr(process.options_string, "help=1") && process_options()->help) {
    char bytes[4096];
    struct text help = {.bytes = bytes, .size = sizeof bytes};
    env_options_help(&help);
    output_stderr(&help);
  }
}
