#include "lock.h"
#include "symbols/frame.h"
#include "symbols/function_name.h"
#include "base/json_fields.h"
#include "lock_layout.h"
#include "process/procfs.h"
#include "symbols/symbolize.h"
#include "base/message.h"

#include <string.h>

enum family { NONE, MUTEX, RWLOCK, CONDITION, BARRIER };

// How much a function tells: the C++ or Rust object that is made of another one says more than that
// does, and a lock's slow path less than its caller.
enum worth { LITTLE = 1, SOME, ALL };

// Of the C library.
static const struct waiting {
  const char *function, *kind;
  enum family family;
  enum worth worth;
} functions[] = {
    {"pthread_mutex_lock", "pthread_mutex", MUTEX, ALL},
    {"pthread_mutex_cond_lock", "pthread_mutex", MUTEX, ALL},
    {"pthread_mutex_timedlock", "pthread_mutex", MUTEX, ALL},
    {"pthread_mutex_clocklock", "pthread_mutex", MUTEX, ALL},
    {"pthread_rwlock_rdlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_rwlock_timedrdlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_rwlock_clockrdlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_rwlock_wrlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_rwlock_timedwrlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_rwlock_clockwrlock", "pthread_rwlock", RWLOCK, ALL},
    {"pthread_cond_wait", "condition variable", CONDITION, ALL},
    {"pthread_cond_timedwait", "condition variable", CONDITION, ALL},
    {"pthread_cond_clockwait", "condition variable", CONDITION, ALL},
    {"pthread_barrier_wait", "barrier", BARRIER, ALL},
    {"pthread_clockjoin_ex", "end of a thread", NONE, ALL},
    {"pthread_once", "pthread_once", NONE, ALL},
    {"sem_wait", "semaphore", NONE, ALL},
    {"new_sem_wait", "semaphore", NONE, ALL},
    {"sem_clockwait", "semaphore", NONE, ALL},
    {"sem_timedwait", "semaphore", NONE, ALL},
    {"cxa_guard_acquire", "guard of a static variable", NONE, ALL},
    {"lll_lock_wait_private", "internal lock of the C library", NONE, ALL},
    {"lll_lock_wait", "lock", MUTEX, LITTLE},
    {"syscall", "futex", NONE, LITTLE},
};

// Of Abseil, in an inline namespace: found in the name.
static const struct waiting absl[] = {
    {"::CondVar::", "absl::CondVar", NONE, ALL},
    {"::Mutex::Await", "absl::CondVar", NONE, ALL},
    {"::Mutex::LockWhen", "absl::CondVar", NONE, ALL},
    {"::Mutex::", "absl::Mutex", NONE, SOME},
};

// Of the C++ libraries: the qualified name begins so.
static const struct waiting classes[] = {
    {"std::counting_semaphore<", "std::counting_semaphore", NONE, ALL},
    {"std::__atomic_semaphore", "std::counting_semaphore", NONE, ALL},
    {"std::__semaphore_base", "std::counting_semaphore", NONE, ALL},
    {"std::latch::", "std::latch", NONE, ALL},
    {"std::barrier<", "std::barrier", NONE, ALL},
    {"std::__tree_barrier", "std::barrier", NONE, ALL},
    {"std::__atomic_futex_unsigned", "std::future", NONE, ALL},
    {"std::__future_base::", "std::future", NONE, ALL},
    {"std::atomic<", "std::atomic wait", NONE, SOME},
    {"std::atomic_flag::", "std::atomic wait", NONE, SOME},
    {"std::__atomic_", "std::atomic wait", NONE, SOME},
    {"std::__detail::__atomic_", "std::atomic wait", NONE, SOME},
    {"std::__detail::__platform_wait", "std::atomic wait", NONE, SOME},
    {"std::__detail::__wait", "std::atomic wait", NONE, SOME},
};

// Of Rust's library (library/std/src): found in the name.
static const struct waiting rust[] = {
    {"::mutex::futex::Mutex", "Rust std::sync::Mutex", NONE, ALL},
    {"::rwlock::futex::RwLock", "Rust std::sync::RwLock", NONE, ALL},
    {"::condvar::futex::Condvar", "Rust std::sync::Condvar", NONE, ALL},
    {"::once::futex::Once", "Rust std::sync::Once", NONE, ALL},
    {"::sync::mpmc::", "Rust std::sync::mpsc channel", NONE, ALL},
    {"::futex::Parker", "Rust std::thread::park", NONE, SOME},
    {"thread::functions::park", "Rust std::thread::park", NONE, SOME},
    {"thread::Thread>::park", "Rust std::thread::park", NONE, SOME},
    {"std::thread::park", "Rust std::thread::park", NONE, SOME},
};

// Without the decorations of glibc's aliases: __GI___x, ___x, x@VERSION.
static bool
names(const char *function, const char *wanted)
{
  if (!strncmp(function, "__GI_", 5))
    function += 5;
  function += strspn(function, "_");
  size_t length = strlen(wanted);
  return !strncmp(function, wanted, length) &&
         (!function[length] || function[length] == '@' || function[length] == '(' ||
          !strcmp(function + length, "64") || !strncmp(function + length, "_slow", 5) ||
          !strncmp(function + length, "_common", 7) || !strncmp(function + length, "_full", 5));
}

static const struct waiting *
what_waits(const char *function)
{
  const char *name = function_qualified(function);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (names(name, functions[i].function))
      return &functions[i];
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
    if (!strncmp(name, classes[i].function, strlen(classes[i].function)))
      return &classes[i];
  for (size_t i = 0; !strncmp(name, "absl::", 6) && i < sizeof absl / sizeof *absl; i++)
    if (strstr(name, absl[i].function))
      return &absl[i];
  bool of_rust = function_is_rust(function) && function_is_standard(function);
  for (size_t i = 0; of_rust && i < sizeof rust / sizeof *rust; i++)
    if (strstr(name, rust[i].function))
      return &rust[i];
  return NULL;
}

// The innermost frames up to the first of the program's own code are looked at.
static const struct waiting *
find_waiting(const json_t *stack)
{
  const struct waiting *found = NULL;
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)(uintptr_t)stack, i, frame)
  {
    const char *function = get_string(frame, "function");
    const struct waiting *waiting = function ? what_waits(function) : NULL;
    if (waiting && (!found || waiting->worth > found->worth))
      found = waiting;
    if (!waiting && !frame_is_library(frame))
      break;
  }
  return found;
}

// GNU's calls futex() itself, and exports no function that tells.
static bool
in_openmp(const json_t *stack)
{
  const char *module = get_string(json_array_get(stack, 0), "module");
  return !strncmp(base_name(module), "libgomp.so", 10);
}

static struct lock
of_family(pid_t pid, const struct task_wait *wait, const struct waiting *waiting)
{
  struct lock lock = {.kind = waiting->kind, .address = wait->address};
  switch (waiting->family) {
  case MUTEX:
    if (!mutex_words(pid, wait, &lock))
      lock.kind = "pthread_mutex whose owner has ended";
    break;
  case RWLOCK: rwlock_words(pid, wait, &lock); break;
  case CONDITION: condition_words(pid, wait, &lock); break;
  case BARRIER: barrier_words(wait, &lock); break;
  case NONE: break;
  }
  return lock;
}

struct lock
lock_at(pid_t pid, const struct task_wait *wait, const json_t *stack)
{
  json_t *copy = json_pack("{s:O}", "stack", (json_t *)(uintptr_t)stack);
  symbolize_event(copy);
  const json_t *named = get_array(copy, "stack");
  const struct waiting *waiting = find_waiting(named);
  struct lock lock = waiting            ? of_family(pid, wait, waiting)
                     : in_openmp(named) ? (struct lock){.kind = "barrier of an OpenMP team",
                                                        .address = wait->address}
                                        : guess_words(pid, wait);
  json_decref(copy);
  return lock;
}

bool
lock_may_be_lost(pid_t pid, const struct task_wait *wait)
{
  struct lock mutex = {0}, rwlock = {0};
  bool may = mutex_words(pid, wait, &mutex) && mutex.owner && !procfs_task_called(pid, mutex.owner);
  rwlock_words(pid, wait, &rwlock);
  return may || (rwlock.owner && !procfs_task_called(pid, rwlock.owner));
}

bool
lock_is_event(const char *kind)
{
  static const char *const events[] = {"condition variable",
                                       "barrier",
                                       "barrier of an OpenMP team",
                                       "end of a thread",
                                       "std::future",
                                       "std::latch",
                                       "std::barrier",
                                       "std::atomic wait",
                                       "absl::CondVar",
                                       "Rust std::sync::Condvar",
                                       "Rust std::sync::mpsc channel",
                                       "Rust std::thread::park"};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++)
    if (!strcmp(kind, events[i]))
      return true;
  return false;
}
