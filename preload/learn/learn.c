#include "learn.h"

#include "os/map.h"
#include "threads/thread_count.h"
#include "os/seccomp.h"
#include "learn_internal.h"
#include "libc/glibc/thread_layout.h"
#include "os/memory.h"
#include "process/process.h"
#include "process/sanitizer.h"
#include "common/config/site_rules.h"
#include "unwind/symbol.h"
#include "threads/thread_table.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

enum { WAIT_UNWINDER_NS = 1000000000 };

static const char *unavailable;  // why nothing can be learned in this process, or NULL

bool
learn_wanted(void)
{
  enum redirect_mode mode = process_options()->redirect;

  return mode == REDIRECT_LEARN || mode == REDIRECT_AUTO;
}

void
learn_start(void)
{
  if (!learn_wanted())
    return;
  unavailable = libc_layout_check();
  if (!unavailable)
    unavailable = sanitizer_refuses();
  fork_sites_start();
}

static void
forget(struct learn *learn)
{
  if (learn->lesson)
    munmap(learn->lesson, sizeof *learn->lesson);
  munmap(learn, sizeof *learn);
}

static void
name_site(const struct learn *learn)
{
  if (atomic_load(&learn->site->named) || !unwind_enter(WAIT_UNWINDER_NS))
    return;
  fork_site_name(learn->site, &learn->frame);
  symbol_done();
  unwind_leave();
}

static struct learn *
prepare(const void *return_address, uint64_t sp, uint64_t slot)
{
  struct calling_frame frame = {.offset = 0};
  uint64_t began = now_ns(CLOCK_MONOTONIC);
  bool denied;

  (void)calling_frame_name(&frame, return_address);
  struct fork_site *site = fork_sites_get(&frame);
  if (!site || fork_site_refusal(site, &denied))
    return NULL;
  struct learn *learn = memory_map(sizeof *learn);
  if (!learn)
    return NULL;
  learn->began = began;
  learn->site = site;
  void *shared =
      mmap(NULL, sizeof *learn->lesson, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  learn->lesson = shared == MAP_FAILED ? NULL : shared;
  if (!learn->lesson) {
    forget(learn);
    return NULL;
  }
  const char *why = calling_frame_find(&learn->frame, return_address, sp, slot, learn->stack,
                                       &learn->stack_length);
  if (!why)
    why = unavailable;
  if (!why && guard_filtered())
    why = "a seccomp filter is in force";
  name_site(learn);
  if (why) {
    fork_site_refuse(learn->site, false, why);
    learn_tell(learn, "learned", 0, LESSON_UNKNOWN, why);
    forget(learn);
    return NULL;
  }
  learn->waits = atomic_load(&learn->site->safe) < SITES_FORKS;
  return learn;
}

struct learn *
learn_before(const void *return_address, uint64_t sp, uint64_t slot)
{
  int saved = errno;
  struct learn *learn = NULL;

  if (learn_wanted() && census_count() > 1)
    learn = prepare(return_address, sp, slot);
  errno = saved;
  return learn;
}

bool
learn_needs_threads(const struct learn *learn)
{
  return learn && learn->waits;
}

void
learn_threads(struct learn *learn, const struct snapshot *threads, const void *stack, size_t size)
{
  struct notes *notes = &learn->notes;

  notes->threads = threads;
  notes->own[0] = (struct own_memory){learn, sizeof *learn};
  notes->own[1] = (struct own_memory){threads, threads ? threads->mapped : 0};
  notes->own[2] = (struct own_memory){stack, size};
  notes->own[3].start = thread_memory(&notes->own[3].size);
}

// False: the child is stuck, and is to be replaced. Of one that is stuck nothing is learned.
static bool
conclude(struct learn *learn, pid_t child)
{
  enum lesson_verdict verdict = learn_wait(learn, child);

  if (verdict != LESSON_NONE) {
    learn_record(learn, child, verdict);
    return true;
  }
  if (process_options()->redirect != REDIRECT_AUTO)
    return true;
  learn_tell(learn, "replaced", child, LESSON_UNKNOWN,
             "it waits for a lock that no thread of it holds");
  return false;
}

bool
learn_after(struct learn *learn, pid_t child)
{
  int saved = errno, cancel_state;
  bool learned = true;

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  if (child > 0 && learn->waits)
    learned = conclude(learn, child);
  forget(learn);
  pthread_setcancelstate(cancel_state, NULL);
  errno = saved;
  return learned;
}
