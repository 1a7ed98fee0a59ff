// The outcome of a child: exec and exit. And an exec whose environment lost the library gets it
// back.
#include "exec_hooks.h"

#include "redirect/promote_child.h"
#include "redirect/child_calls.h"
#include "report/event_json.h"
#include "os/futex.h"
#include "os/hot.h"
#include "libc/real_calls.h"
#include "learn/learn.h"
#include "os/memory.h"
#include "process/output.h"
#include "process/preload_list.h"
#include "process/process.h"
#include "process/pythonpath.h"
#include "process/exec_target.h"
#include "fork/fork_emit.h"

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_VARIABLES = 8192, MOST_ADDED = 6 };  // the NULL, too

// A variable of ours is missing from `environment`.
static bool
lost(char *const environment[], const struct variable *variable)
{
  size_t n = variable->text ? (size_t)(variable->value - variable->text) : 0;

  if (n == 0)
    return false;
  for (; environment && *environment; environment++) {
    if (strncmp(*environment, variable->text, n) == 0)
      return false;
  }
  return true;
}

size_t
exec_count(char *const list[])
{
  size_t n = 0;

  while (list && list[n])
    n++;
  return n;
}

// The variable that loads libraries, as the new program is to have it; NULL: not at all. `text`:
// room for it.
static char *
preload_for(char *const environment[], bool without_preload, char *text)
{
  char *const *old = preload_list_find(environment);

  if (without_preload)
    return preload_list_strip(environment, text);
  if (preload_list_lost(environment))
    return preload_list_restore(environment, text);
  return old ? *old : NULL;
}

// The environment with our variables back; without the library for a program that would not start
// with it.
char **
exec_adapt(char *const environment[], bool without_preload, char **to)
{
  bool no_python = python_path_lost(environment);
  char *const *old = preload_list_find(environment);
  char *text = (char *)(to + exec_count(environment) + MOST_ADDED);
  char *preload = preload_for(environment, without_preload, text);
  size_t n = 0;

  for (size_t i = 0; environment && environment[i]; i++) {
    bool left_out = &environment[i] == old || (no_python && python_path_is(environment[i]));
    if (!left_out)
      to[n++] = environment[i];
  }
  if (preload)
    to[n++] = preload;
  if (lost(environment, &process.events))
    to[n++] = process.events.text;
  if (lost(environment, &process.options))
    to[n++] = process.options.text;
  if (lost(environment, &process.redirect_python))
    to[n++] = process.redirect_python.text;
  if (no_python)
    to[n++] = python_path_restore(environment, text + preload_list_size(environment));
  to[n] = NULL;
  return to;
}

size_t
exec_size(char *const environment[])
{
  return (exec_count(environment) + MOST_ADDED) * sizeof(char *) + preload_list_size(environment) +
         python_path_size(environment);
}

bool
exec_keeps(char *const environment[], enum target target)
{
  char *first;

  // An address that cannot be read is the kernel's to refuse.
  if (process.secure ||
      (environment && memory_copy(&first, sizeof first, (uint64_t)(uintptr_t)environment) == 0) ||
      exec_count(environment) > MOST_VARIABLES)
    return true;
  return !target_refuses(target) && !preload_list_lost(environment) &&
         !python_path_lost(environment);
}

static void
ended(int how)
{
  if (process.outcome)
    futex_set(&process.outcome->ended, how);
}

// What execvp() would find: the first executable in PATH. False where there is none.
bool
exec_find(const char *name, char *path, size_t size)
{
  const char *folders = getenv("PATH");

  if (strchr(name, '/'))
    return (size_t)snprintf(path, size, "%s", name) < size && access(path, X_OK) == 0;
  for (const char *folder = folders ? folders : "/bin:/usr/bin"; folder;) {
    size_t length = strcspn(folder, ":");
    int n = snprintf(path, size, "%.*s%s%s", (int)length, folder, length ? "/" : "", name);
    if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
      return true;
    folder = folder[length] ? folder + length + 1 : NULL;
  }
  return false;
}

static __attribute__((noinline)) void
tell_exec(const char *path, int error)
{
  char bytes[2048];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  event_exec(&t, path, error);
  if (t.truncated) {
    t.length = 0;
    t.truncated = false;
    event_exec(&t, "(a long path)", error);
  }
  output_event(&t);
}

__attribute__((noinline)) void
exec_tell_blind(const char *path, const char *why)
{
  char bytes[1024];
  struct text t = {.bytes = bytes, .size = sizeof bytes};

  if (!output_wants_events())
    return;
  event_blind(&t, path, why);
  if (!t.truncated)
    output_event(&t);
}

// The file is opened only where its kind matters: to tell of a blind spot, or where one may refuse
// the library.
static __attribute__((noinline)) enum target
look_and_tell(const char *path)
{
  char program[TARGET_PATH];

  if (!path || process.secure || (!output_wants_events() && !target_may_refuse()))
    return TARGET_LOADS;
  enum target target = target_of(path, program);
  if (target_why(target))
    exec_tell_blind(program, target_why(target));
  return target;
}

enum target
exec_before(const char *path)
{
  return exec_before_file(path, path);
}

enum target
exec_before_file(const char *path, const char *file)
{
  int saved = errno;
  enum target target = look_and_tell(file);

  fh_real_resolve();
  borrow_exec(path);
  // A failing try of a path search is no exec.
  if (learn_watches() && (!path || access(path, X_OK) == 0))
    learn_exec();
  if (process_is_child() && (!path || access(path, X_OK) == 0)) {
    if (output_wants_events()) {
      tell_exec(path ? path : "(descriptor)", 0);
      process.exec_told = true;
    }
    ended(OUTCOME_EXEC);
  }
  errno = saved;
  return target;
}

// The exec failed after all: the child runs on.
int
exec_after(const char *path, int result)
{
  int error = errno;

  borrow_exec_failed();
  if (!process_is_child())
    return result;
  process.exec_error = error;
  if (process.outcome)
    process.outcome->ended = OUTCOME_NONE;
  if (process.exec_told) {
    process.exec_told = false;
    tell_exec(path ? path : "(descriptor)", error);
  }
  errno = error;
  return result;
}

FH_EXPORT int
FH_WRAPPER(execve)(const char *path, char *const arguments[], char *const environment[])
{
  enum target target = exec_before(path);
  return exec_after(path, fh_real.execve(path, arguments, EXEC_ADAPTED(environment, target)));
}

FH_EXPORT int
FH_WRAPPER(execv)(const char *path, char *const arguments[])
{
  return FH_WRAPPER(execve)(path, arguments, FH_ENVIRON);
}

FH_EXPORT int
FH_WRAPPER(execvp)(const char *file, char *const arguments[])
{
  return exec_search(file, arguments, FH_ENVIRON);
}

// The variadic forms: the arguments up to NULL, as an array on the stack.
#define COUNT_ARGUMENTS(list, n)                                                                   \
  do {                                                                                             \
    va_list counting;                                                                              \
    va_copy(counting, list);                                                                       \
    for (n = 1; va_arg(counting, char *); n++)                                                     \
      ;                                                                                            \
    va_end(counting);                                                                              \
  } while (0)

static void
collect(char **to, const char *first, size_t n, va_list *list)
{
  to[0] = (char *)(uintptr_t)first;
  for (size_t i = 1; i <= n; i++)
    to[i] = va_arg(*list, char *);
}

FH_EXPORT int
FH_WRAPPER(execl)(const char *path, const char *first, ...)
{
  va_list list;
  size_t n;

  va_start(list, first);
  COUNT_ARGUMENTS(list, n);
  char **arguments = alloca((n + 1) * sizeof(char *));
  collect(arguments, first, n, &list);
  va_end(list);
  return FH_WRAPPER(execve)(path, arguments, FH_ENVIRON);
}

FH_EXPORT int
FH_WRAPPER(execlp)(const char *file, const char *first, ...)
{
  va_list list;
  size_t n;

  va_start(list, first);
  COUNT_ARGUMENTS(list, n);
  char **arguments = alloca((n + 1) * sizeof(char *));
  collect(arguments, first, n, &list);
  va_end(list);
  return exec_search(file, arguments, FH_ENVIRON);
}

FH_EXPORT int
FH_WRAPPER(execle)(const char *path, const char *first, ...)
{
  va_list list;
  size_t n;

  va_start(list, first);
  COUNT_ARGUMENTS(list, n);
  char **arguments = alloca((n + 1) * sizeof(char *));
  collect(arguments, first, n, &list);
  char *const *environment = va_arg(list, char *const *);
  va_end(list);
  return FH_WRAPPER(execve)(path, arguments, environment);
}

static int
spawned(const char *path, bool is_exec, int error)
{
  int saved = errno;

  errno = error;
  if (is_exec)
    exec_after(path, -1);
  errno = saved;
  return error;
}

FH_EXPORT int
FH_WRAPPER(posix_spawn)(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const arguments[],
                        char *const environment[])
{
  int saved = errno;

  fh_real_resolve();
  become_real("called posix_spawn", REAL_WHOLE);
  learn_refuse("called posix_spawn");
  bool is_exec = exec_by_spawn(attributes);
  enum target target = is_exec ? exec_before(path) : look_and_tell(path);
  errno = saved;
  return spawned(path, is_exec,
                 fh_real.posix_spawn(pid, path, actions, attributes, arguments,
                                     EXEC_ADAPTED(environment, target)));
}

FH_EXPORT int
FH_WRAPPER(posix_spawnp)(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, char *const arguments[],
                         char *const environment[])
{
  char path[1024];
  int saved = errno;

  fh_real_resolve();
  become_real("called posix_spawnp", REAL_WHOLE);
  learn_refuse("called posix_spawnp");
  bool found = exec_find(file, path, sizeof path);
  bool is_exec = found && exec_by_spawn(attributes);
  enum target target = is_exec ? exec_before(path) : found ? look_and_tell(path) : TARGET_LOADS;
  errno = saved;
  return spawned(path, is_exec,
                 fh_real.posix_spawnp(pid, file, actions, attributes, arguments,
                                      EXEC_ADAPTED(environment, target)));
}

IN_EACH_CHILD void
exec_before_exit(int status)
{
  int saved = errno;

  learn_exit();
  if (!process_is_child()) {
    errno = saved;
    return;
  }
  if (output_wants_events()) {
    char bytes[2048];
    struct text t = {.bytes = bytes, .size = sizeof bytes};
    event_exit(&t, status);
    output_event(&t);
  }
  ended(process.exec_error ? OUTCOME_EXEC : OUTCOME_EXIT);
  process.fork_id[0] = 0;
  errno = saved;
}

FH_EXPORT void
FH_WRAPPER(_exit)(int status)
{
  fh_real_resolve();
  borrow_exit(status);
  exec_before_exit(status);
  fh_real._exit(status);
  __builtin_unreachable();
}

FH_EXIT_ALIASES
