#include "lock.h"
#include "json_get.h"
#include "procfs.h"
#include "symbolize.h"
#include "text.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum owner_rule { NO_OWNER, MUTEX, RWLOCK };

/* Innermost function that says what is waited for. */
static const struct {
  const char *function, *kind;
  enum owner_rule rule;
} kinds[] = {
    {"pthread_mutex_lock", "pthread_mutex", MUTEX},
    {"pthread_mutex_clocklock", "pthread_mutex", MUTEX},
    {"pthread_rwlock_rdlock", "pthread_rwlock", RWLOCK},
    {"pthread_rwlock_wrlock", "pthread_rwlock", RWLOCK},
    {"pthread_cond_wait", "condition variable", NO_OWNER},
    {"pthread_cond_clockwait", "condition variable", NO_OWNER},
    {"pthread_barrier_wait", "barrier", NO_OWNER},
    {"pthread_clockjoin_ex", "end of a thread", NO_OWNER},
    {"sem_wait", "semaphore", NO_OWNER},
    {"new_sem_wait", "semaphore", NO_OWNER},
    {"cxa_guard_acquire", "guard of a static variable", NO_OWNER},
    {"lll_lock_wait_private", "internal lock of the C library", NO_OWNER},
    {"lll_lock_wait", "lock", MUTEX},
    {"std::__atomic_futex_unsigned_base::_M_futex_wait_until", "std::future or atomic wait",
     NO_OWNER},
};

/* Without the decorations of glibc's aliases: __GI___x, ___x, x@VERSION. */
static bool
names(const char *function, const char *wanted)
{
  if (!strncmp(function, "__GI_", 5))
    function += 5;
  function += strspn(function, "_");
  wanted += strspn(wanted, "_");
  size_t length = strlen(wanted);
  return !strncmp(function, wanted, length) &&
         (!function[length] || function[length] == '@' || function[length] == '(' ||
          !strcmp(function + length, "64") || !strncmp(function + length, "_slow", 5) ||
          !strncmp(function + length, "_common", 7) || !strncmp(function + length, "_full", 5));
}

static int
kind_of(const json_t *stack)
{
  size_t i;
  json_t *frame;
  int found = -1;
  json_array_foreach((json_t *)(uintptr_t)stack, i, frame)
  {
    const char *function = get_string(frame, "function");
    for (size_t k = 0; function && found < 0 && k < sizeof kinds / sizeof *kinds; k++)
      if (names(function, kinds[k].function))
        found = (int)k;
    /* A lock's slow path is told by its caller, if that says more. */
    if (found >= 0 && strcmp(kinds[found].kind, "lock") != 0)
      break;
    if (found >= 0 && i < 4)
      found = -1;
  }
  return found;
}

/* glibc, x86-64: struct __pthread_mutex_s has the lock word first and __owner at 8; struct
   __pthread_rwlock_arch_t waits on __wrphase_futex (8) or __writers_futex (12) and has __cur_writer
   at 24 (sysdeps/x86/nptl/bits/struct_mutex.h, struct_rwlock.h). */
static pid_t
owner_of(pid_t pid, uint64_t word, enum owner_rule rule)
{
  int32_t after[5];
  if (rule == NO_OWNER || !procfs_memory(pid, word, after, sizeof after))
    return 0;
  if (rule == MUTEX)
    return after[2] > 0 ? after[2] : 0;
  for (int offset = 3; offset <= 4; offset++)
    if (after[offset] > 0 && after[offset] <= 4194304) /* PID_MAX_LIMIT */
      return after[offset];
  return 0;
}

/* As pthread_mutex_init() and the holder leave it: its kind has the bits of PTHREAD_MUTEX_* in
   nptl/pthreadP.h only, and one thread, the owner, uses it. */
static bool
is_mutex(const int32_t words[5])
{
  int32_t owner = words[2], users = words[3], kind = words[4];
  return owner > 0 && users == 1 && !(kind & ~0x3ff) &&
         (words[0] == 2 || (words[0] & FUTEX_TID_MASK) == owner);
}

/* Without names for libc's static functions (no debug information) the words themselves tell. A
   robust or priority-inheriting mutex holds its owner's tid in the lock word too (futex(2));
   another held one is 2, with the owner behind it; a semaphore without a token is 0 and followed by
   the number of its waiters (struct new_sem in sysdeps/nptl/internaltypes.h). */
static struct lock
guess(pid_t pid, uint64_t word)
{
  int32_t words[5];
  if (!procfs_memory(pid, word, words, sizeof words))
    return (struct lock){"futex", 0};
  if (is_mutex(words))
    return (struct lock){"pthread_mutex", words[2]};
  if (words[0] == 0 && words[1] > 0 && words[1] < 100000)
    return (struct lock){"semaphore", 0};
  return (struct lock){"futex", 0};
}

/* GNU's calls futex() itself, and exports no function that tells. */
static bool
in_openmp(const json_t *stack)
{
  const char *module = get_string(json_array_get(stack, 0), "module");
  return !strncmp(base_name(module), "libgomp.so", 10);
}

/* By a lock that is not libc's, as those of Rust: its words mean something else. */
static bool
in_system_call(const json_t *stack)
{
  const char *function = get_string(json_array_get(stack, 0), "function");
  return function && !strcmp(function, "syscall");
}

struct lock
lock_at(pid_t pid, uint64_t word, const json_t *stack)
{
  json_t *copy = json_pack("{s:O}", "stack", (json_t *)(uintptr_t)stack);
  symbolize_event(copy);
  const json_t *named = get_array(copy, "stack");
  int kind = kind_of(named);
  struct lock lock;
  if (kind >= 0)
    lock = (struct lock){kinds[kind].kind, owner_of(pid, word, kinds[kind].rule)};
  else if (in_openmp(named))
    lock = (struct lock){"barrier of an OpenMP team", 0};
  else if (in_system_call(named))
    lock = (struct lock){"futex", 0};
  else
    lock = guess(pid, word);
  json_decref(copy);
  return lock;
}
