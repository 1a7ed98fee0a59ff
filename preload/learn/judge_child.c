#include "fork/fork_context.h"
#include "footprint/elf_data.h"
#include "verdict.h"
#include "footprint/child_memory.h"
#include "footprint/pointer_search.h"
#include "return_trap.h"
#include "footprint/write_tracking.h"

#include <errno.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>

static bool
within(uint64_t address, const void *start, size_t length)
{
  return address - (uint64_t)(uintptr_t)start < length;
}

// What libc and the kernel write there, and ourselves.
static bool
allowed_in_thread(uint64_t address)
{
  const char *block = __builtin_thread_pointer();

  return within(address, &errno, sizeof errno) || within(address, &call, sizeof call) ||
         (__rseq_size > 0 && within(address, block + __rseq_offset, 32));
}

// A byte of a copied range has changed.
static void
changed(struct judgement *j, const struct range *r, uint64_t address)
{
  struct notes *notes = j->notes;

  switch (r->kind) {
  case RANGE_STACK:
    if (address >= notes->frame->return_slot + sizeof(uint64_t))
      judgement_deny(j, "wrote the stack above the function that called fork");
    break;
  case RANGE_THREAD:
    if (!allowed_in_thread(address))
      judgement_deny(j, "wrote thread-local memory");
    break;
  case RANGE_ARGUMENTS: judgement_deny(j, "wrote its arguments or environment"); break;
  case RANGE_DATA:
    // Lazy binding fills a slot, and the loader counts it. A change to its list of modules would
    // show in the mappings.
    if (!within(address, &environ, sizeof environ) && !elf_data_is_loader(r->path) &&
        !elf_data_is_got(notes->before, address, r->path))
      judgement_deny_data(j, address, r->path, "wrote ");
    break;
  }
}

// Between two calls libc's locks are free, and what else they guard is as it was: so does a thread
// of the process leave them. With the data of others an equal value is a write like any other.
static void
check_range(struct judgement *j, const struct range *r, uint64_t low, uint64_t high)
{
  bool any = memcmp((const void *)low, r->copy + (low - r->start), high - low) != 0;

  for (uint64_t at = low; any && at < high; at++) {
    if (*(const unsigned char *)at != r->copy[at - r->start])
      changed(j, r, at);
  }
  if (!any && r->kind == RANGE_DATA && !elf_data_is_libc(r->path) && !elf_data_is_loader(r->path))
    judgement_deny_same(j, lesson_page(low), r->path);
}

static bool
check_page(struct judgement *j, uint64_t page)
{
  struct notes *notes = j->notes;
  bool covered = page < lesson_page(notes->frame->sp) + LESSON_PAGE && page >= j->stack_low;

  if (elf_data_is_own(page) || lesson_is_own(notes, page))
    return true;
  for (int i = 0; i < notes->range_count; i++) {
    const struct range *r = &notes->ranges[i];
    if (r->start >= page + LESSON_PAGE || r->end <= page)
      continue;
    covered = true;
    check_range(j, r, r->start > page ? r->start : page,
                r->end < page + LESSON_PAGE ? r->end : page + LESSON_PAGE);
  }
  if (!covered)
    judgement_deny_memory(j, page);
  return j->verdict != LESSON_DENIED;
}

static bool
check_pages(uint64_t start, uint64_t end, void *argument)
{
  for (uint64_t page = start; page < end; page += LESSON_PAGE) {
    if (!check_page(argument, page))
      return false;
  }
  return true;
}

static bool
threads_known(const struct snapshot *threads)
{
  if (!threads || !threads->listed || threads->count == threads->most)
    return false;
  for (int i = 0; i < threads->count; i++) {
    if (threads->threads[i].how == SNAPSHOT_NONE)
      return false;
  }
  return true;
}

// A borrowed child would have changed the parent's.
static void
check_mappings(struct judgement *j, const struct mapping *stack)
{
  struct notes *notes = j->notes;
  const struct mappings *now = mappings_read(notes->maps_now, sizeof notes->maps_now);
  const struct mapping *stack_now = now ? mappings_find(now, notes->frame->sp) : NULL;

  if (!now || !now->whole || !stack || !stack_now)
    judgement_unknown(j, "its mappings cannot be read");
  // The main thread's stack grows by itself.
  else if (mappings_difference(notes->before, now, stack_now->start, stack->start))
    judgement_deny(j, "mapped, unmapped or protected memory");
}

enum lesson_verdict
lesson_judge(struct notes *notes)
{
  struct judgement j = {.notes = notes, .verdict = LESSON_SAFE};
  const struct mapping *stack = mappings_find(notes->before, notes->frame->sp);

  j.stack_low = stack ? stack->start : lesson_page(notes->frame->sp);
  if (!return_trap_waits())
    judgement_deny(&j, "left the function that called fork");
  if (!write_watch_each(notes->before, check_pages, &j))
    judgement_unknown(&j, "its child closed descriptors of the write tracking");
  check_mappings(&j, stack);
  if (notes->asks_threads && !threads_known(notes->threads))
    judgement_unknown(&j, "not every other thread could be stopped");
  const char *holder =
      notes->asks_threads && j.verdict == LESSON_SAFE ? pointer_holder(notes) : NULL;
  if (holder)
    judgement_deny(&j, holder);
  return j.verdict;
}
