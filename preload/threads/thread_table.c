#include "thread_table.h"

#include "os/map.h"
#include "os/hot.h"
#include "libc/real_calls.h"
#include "os/kernel.h"
#include "os/memory.h"
#include "process/process.h"
#include "os/task.h"
#include "thread_kinds.h"
#include "thread_start.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 8192, FREE = 0, CLAIMED = -1 };

struct slot {
  struct origin origin;
  void *(*start)(void *);
  void *argument;
  pthread_t thread;
  uint64_t outer;  // of its stack: from here on are frames of ours and of libc; 0: not known
  int kind;
  char name[16];  // as the kernel keeps it
};

static _Atomic pid_t tids[SLOTS];
static struct slot *_Atomic slots;
static _Atomic size_t used;  // slots from here on were never used
static _Atomic int live;
static pthread_key_t ending;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
release(size_t i)
{
  atomic_store_explicit(&tids[i], FREE, memory_order_release);
}

// The thread of this slot ends, or was not made after all.
static void
leave(size_t i)
{
  struct slot *slot = atomic_load_explicit(&slots, memory_order_relaxed) + i;

  thread_kind_leave(slot->kind);
  slot->outer = 0;
  release(i);
  atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

// Runs as the thread ends, however it does. The value is the slot's index + 1.
static void
on_end(void *value)
{
  size_t i = (size_t)value - 1;

  if (atomic_load_explicit(&tids[i], memory_order_relaxed) == task_self()) {
    leave(i);
  }
}

static void
before_first_thread(void)
{
  thread_start_first();
  void *memory = memory_map(SLOTS * sizeof(struct slot));

  if (!memory)
    return;
  if (pthread_key_create(&ending, on_end) != 0) {
    munmap(memory, SLOTS * sizeof(struct slot));
    return;
  }
  atomic_store_explicit(&slots, memory, memory_order_release);
}

static struct slot *
claim(size_t *index)
{
  struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);

  if (!base)
    return NULL;
  for (size_t i = 0; i < SLOTS; i++) {
    pid_t expected = FREE;
    if (atomic_load_explicit(&tids[i], memory_order_relaxed) == FREE &&
        atomic_compare_exchange_strong(&tids[i], &expected, CLAIMED)) {
      size_t old = atomic_load(&used);
      while (old <= i && !atomic_compare_exchange_weak(&used, &old, i + 1))
        ;
      *index = i;
      return base + i;
    }
  }
  return NULL;
}

// The search begins at slot `*first`, and leaves there the one after that found.
static struct slot *
slot_of(pid_t tid, size_t *first)
{
  struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);
  size_t count = base && process.threads == THREADS_KNOWN ? used : 0, i = *first;

  for (size_t n = 0; n < count; n++, i++) {
    if (i >= count)
      i = 0;
    if (atomic_load_explicit(&tids[i], memory_order_acquire) == tid) {
      *first = i + 1;
      return &base[i];
    }
  }
  return NULL;
}

void
thread_renamed(void)
{
  size_t first = 0;
  struct slot *slot = slot_of(task_self(), &first);

  if (slot)
    task_own_name(slot->name);
}

void
thread_named(pthread_t thread, const char *name)
{
  struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);

  for (size_t i = 0; base && process.threads == THREADS_KNOWN && i < used; i++) {
    if (atomic_load_explicit(&tids[i], memory_order_acquire) > 0 && base[i].thread == thread)
      strncpy(base[i].name, name, sizeof base[i].name);
  }
}

__attribute__((noinline)) static void *
run(struct slot *slot)
{
  size_t i = (size_t)(slot - atomic_load_explicit(&slots, memory_order_relaxed));

  thread_start_new();
  slot->thread = pthread_self();
  task_own_name(slot->name);
  // A negative tid keeps the slot ours until it is known.
  atomic_store_explicit(&tids[i], task_self(), memory_order_release);
  pthread_setspecific(ending, (void *)(i + 1));
  return slot->start(slot->argument);
}

// Of what pthread_create() had in its registers this thread knows nothing. Yet it would be kept on
// the stack by whatever the thread calls, and look like pointers that it has (learn/pointers.h).
static void *
thread_main(void *argument)
{
  struct slot *slot = argument;

  if (thread_start_clears_registers())
    slot->outer = registers_clear();
  void *result = run(slot);
  // No jump into run() instead of a call: the registers would be given back first.
  __asm__ volatile("" : "+r"(result));
  return result;
}

// Most children never make a thread, and are spared the writes. Threads made past us may come here
// at once.
static void
forget_left_behind(void)
{
  int left = THREADS_LEFT_BEHIND;

  if (atomic_compare_exchange_strong(&process.threads, &left, THREADS_BEING_FORGOTTEN)) {
    for (size_t i = 0; i < used; i++)
      release(i);
    atomic_store_explicit(&live, 0, memory_order_relaxed);
    thread_kinds_forget();
    process.threads = THREADS_KNOWN;
  }
  while (process.threads != THREADS_KNOWN)
    kernel_yield();
}

int
thread_make(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
            void *argument, const void *caller)
{
  size_t i = 0;
  int saved = errno;

  fh_real_resolve();
  if (process.secure)
    return fh_real.pthread_create(thread, attributes, start, argument);
  thread_start_before();
  pthread_once(&once, before_first_thread);
  if (process.threads != THREADS_KNOWN)
    forget_left_behind();
  thread_start_each();
  struct slot *slot = claim(&i);
  errno = saved;
  if (!slot)
    return fh_real.pthread_create(thread, attributes, start, argument);

  slot->outer = 0;
  slot->start = start;
  slot->argument = argument;
  slot->origin.creator = task_self();
  slot->origin.start = (void *)start;
  registers_here(&slot->origin.registers);
  slot->origin.stack_length =
      memory_copy_own_stack(slot->origin.stack, ORIGIN_STACK, slot->origin.registers.at[REG_SP]);
  slot->kind = thread_kind_enter((void *)start, caller);
  atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  int error = fh_real.pthread_create(thread, attributes, thread_main, slot);
  if (error)
    leave(i);
  return error;
}

FH_EXPORT int
FH_WRAPPER(pthread_create)(pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start)(void *), void *argument)
{
  return thread_make(thread, attributes, start, argument, __builtin_return_address(0));
}

const struct origin *
thread_origin(pid_t tid, char *name, size_t *search)
{
  const struct slot *slot = slot_of(tid, search);

  name[0] = 0;
  if (!slot)
    return NULL;
  memcpy(name, slot->name, sizeof slot->name);
  name[sizeof slot->name] = 0;
  return &slot->origin;
}

// In glibc's struct pthread (nptl/descr.h) stands the argument of thread_main(), a slot.
const struct origin *
thread_origin_at(uint64_t thread_pointer)
{
  enum { WORDS = 288 };
  const struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);
  uintptr_t words[WORDS];
  size_t count = 0;

  if (base && thread_pointer)
    count = memory_copy(words, sizeof words, thread_pointer) / sizeof words[0];
  for (size_t i = 0; i < count; i++) {
    uintptr_t at = words[i] - (uintptr_t)base;
    if (at < SLOTS * sizeof *base && at % sizeof *base == 0)
      return &base[at / sizeof *base].origin;
  }
  return NULL;
}

uint64_t
thread_outer_frames(uint64_t sp, uint64_t limit, uint64_t *thread_pointer)
{
  const struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);
  uint64_t outer = 0;

  for (size_t i = 0; base && i < used; i++) {
    uint64_t pointer = (uint64_t)(uintptr_t)base[i].thread;
    if (base[i].outer > sp && base[i].outer < pointer && pointer < limit &&
        (!outer || base[i].outer < outer)) {
      outer = base[i].outer;
      *thread_pointer = pointer;
    }
  }
  return outer;
}

const void *
thread_memory(size_t *size)
{
  *size = SLOTS * sizeof(struct slot);
  return atomic_load_explicit(&slots, memory_order_acquire);
}

IN_EACH_CHILD int
thread_live(void)
{
  return process.threads == THREADS_KNOWN ? atomic_load_explicit(&live, memory_order_relaxed) : 0;
}

pid_t
thread_left_behind(pthread_t thread)
{
  const struct slot *base = atomic_load_explicit(&slots, memory_order_acquire);

  for (size_t i = 0; base && i < used; i++) {
    if (base[i].thread == thread && tids[i] > 0)
      return tids[i];
  }
  return 0;
}

IN_EACH_CHILD void
thread_forget_others(void)
{
  if (thread_live() > 0 || process.threads == THREADS_BEING_FORGOTTEN)
    process.threads = THREADS_LEFT_BEHIND;
}
