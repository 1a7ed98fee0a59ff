// How glibc lays out its locks (sysdeps/nptl/bits, sysdeps/x86/nptl/bits: struct_mutex.h,
// struct_rwlock.h, thread-shared-types.h, internaltypes.h), as far as a waiter's futex word tells.
#pragma once

#include "process/wait_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock {
  const char *kind;  // static text: "pthread_mutex", "semaphore", ...
  uint64_t
      address;   // of the object that the word is a part of; of the word where that is not known
  pid_t owner;   // tid recorded in the lock, as the process knows it: see procfs_task_called();
                 // 0: it keeps none, or none is recorded now
  bool guessed;  // its kind is, from the words alone
  bool checked;  // nobody but its owner can release it: others are refused
};

// Each fills in address, owner and `checked` as far as they are known; the wait is one of that kind
// of lock.

// False: it is the wait without an end that glibc begins where the kernel says that the owner of a
// priority-inheriting mutex has ended; the word is not that of the mutex.
bool mutex_words(pid_t pid, const struct task_wait *wait, struct lock *lock);
void rwlock_words(pid_t pid, const struct task_wait *wait, struct lock *lock);
void condition_words(pid_t pid, const struct task_wait *wait, struct lock *lock);
void barrier_words(const struct task_wait *wait, struct lock *lock);

// Any lock, by what the words are: without names for libc's static functions (no debug
// information), and no exported one among those that wait.
struct lock guess_words(pid_t pid, const struct task_wait *wait);
