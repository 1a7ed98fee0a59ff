#include "lock_layout.h"
#include "process/procfs.h"

#include <linux/futex.h>
#include <string.h>

enum {
  PID_MOST = 4194304,  // PID_MAX_LIMIT of Linux on 64 bits
  USERS_MOST = 100000,
  MUTEX_KIND_BITS = 0x3ff,  // of PTHREAD_MUTEX_* in nptl/pthreadP.h
  MUTEX_ROBUST = 16,
  MUTEX_INHERITS = 32,
};

struct mutex {
  uint32_t lock, count;
  int32_t owner, users, kind;
};

static bool
is_owner(int32_t tid)
{
  return tid > 0 && tid <= PID_MOST;
}

// pthread_mutex_unlock() compares the caller with the owner of a recursive (1), an error-checking
// (2) or a robust one, and the kernel does of one that inherits priorities and is waited for.
static bool
is_checked(int32_t kind)
{
  return (kind & 3) == 1 || (kind & 3) == 2 || (kind & (MUTEX_ROBUST | MUTEX_INHERITS));
}

bool
mutex_words(pid_t pid, const struct task_wait *wait, struct lock *lock)
{
  struct mutex mutex;
  lock->address = wait->address;
  if ((wait->operation & FUTEX_CMD_MASK) != FUTEX_LOCK_PI &&
      (wait->operation & FUTEX_CMD_MASK) != FUTEX_LOCK_PI2 && wait->value == 0)
    return false;  // nobody waits for a mutex that is free
  if (procfs_memory(pid, wait->address, &mutex, sizeof mutex) && is_owner(mutex.owner) &&
      mutex.users > 0 && mutex.users < USERS_MOST && !(mutex.kind & ~MUTEX_KIND_BITS)) {
    lock->owner = mutex.owner;
    lock->checked = is_checked(mutex.kind);
  }
  return true;
}

struct rwlock {
  uint32_t readers, writers, phase_futex, writers_futex, pad[2];
  int32_t writer, shared;
  uint64_t elision, pad2;
  uint32_t flags;
};

enum { RWLOCK_PHASE = 8, RWLOCK_WRITERS = 12, READER_SHIFT = 3 };

// It waits on one of three words: a futex has only the lowest bits, where the readers have their
// number above those.
static uint64_t
rwlock_address(const struct task_wait *wait)
{
  if (wait->address % 8 == 4)
    return wait->address - RWLOCK_WRITERS;
  return wait->value >> READER_SHIFT ? wait->address : wait->address - RWLOCK_PHASE;
}

void
rwlock_words(pid_t pid, const struct task_wait *wait, struct lock *lock)
{
  struct rwlock rwlock;
  uint64_t address = rwlock_address(wait);
  if (!procfs_memory(pid, address, &rwlock, sizeof rwlock) || rwlock.flags > 2 ||
      (rwlock.shared | 1) != 1 || rwlock.pad[0] || rwlock.pad[1] || rwlock.pad2)
    return;
  lock->address = address;
  lock->owner = is_owner(rwlock.writer) ? rwlock.writer : 0;
}

// The two words to wait on, one for each group of waiters, are at 40 of a condition variable, and
// at 32 since the two counts of references are no more (glibc 2.42, and backports).
enum { SIGNALS_OLD = 40, SIGNALS_NEW = 32, SEARCHED = 1024 };

// Which of the two is told by the function that waits: it keeps the address on its stack, for the
// handler of a cancellation.
void
condition_words(pid_t pid, const struct task_wait *wait, struct lock *lock)
{
  uint64_t words[SEARCHED / sizeof(uint64_t)], signals = wait->address & ~7ull;
  bool old = false, new = false;
  if (!procfs_memory(pid, wait->sp & ~7ull, words, sizeof words))
    return;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    old |= words[i] == signals - SIGNALS_OLD;
    new |= words[i] == signals - SIGNALS_NEW;
  }
  if (old != new)
    lock->address = signals - (old ? SIGNALS_OLD : SIGNALS_NEW);
}

// The number of the round, behind that of those that have come in.
void
barrier_words(const struct task_wait *wait, struct lock *lock)
{
  if (wait->address % 8 == 4)
    lock->address = wait->address - 4;
}

// pthread_join() waits for what the kernel clears when the thread ends: `tid` in its struct pthread
// (nptl/descr.h), 720 bytes behind two pointers of the thread block to itself, `tcb` and `self`
// (sysdeps/x86_64/nptl/tls.h).
static bool
is_tid_of_thread(pid_t pid, uint64_t address)
{
  enum { TID = 720, TCB = 0, SELF = 2 };
  uint64_t start = address - TID, words[SELF + 1];
  return procfs_memory(pid, start, words, sizeof words) && words[TCB] == start &&
         words[SELF] == start;
}

// A robust or priority-inheriting mutex holds its owner's tid in the lock word too (futex(2));
// another held one is 2, with the owner behind it; one thread, the owner, uses it. A semaphore
// without a token is 0 and followed by the number of its waiters (struct new_sem); so is the round
// of a barrier by the number of its threads, but that word is not at the beginning of its object.
struct lock
guess_words(pid_t pid, const struct task_wait *wait)
{
  struct lock lock = {.kind = "futex", .address = wait->address, .guessed = true};
  struct mutex mutex;
  if (!procfs_memory(pid, wait->address, &mutex, sizeof mutex))
    return lock;
  if (mutex.users == 1 &&
      (mutex.lock == 2 || (int32_t)(mutex.lock & FUTEX_TID_MASK) == mutex.owner))
    mutex_words(pid, wait, &lock);
  if (lock.owner)
    lock.kind = "pthread_mutex";
  else if (is_owner((int32_t)mutex.lock) && is_tid_of_thread(pid, wait->address))
    lock.kind = "end of a thread";
  else if (wait->address % 8 == 0 && mutex.lock == 0 && mutex.count > 0 && mutex.count < USERS_MOST)
    lock.kind = "semaphore";
  return lock;
}
