#include "lesson.h"

#include "call.h"
#include "elf_data.h"
#include "libc_layout.h"
#include "pointers.h"
#include "raw_syscall.h"
#include "return_trap.h"
#include "write_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>

enum {
  PAGE = 4096,
  LARGEST_DATA = 2 << 20,  // of one mapping that is copied
  THREAD_STRUCT = 2304,    // bytes of glibc's struct pthread, or somewhat more
};

struct judge {
  struct notes *notes;
  enum lesson_verdict verdict;
  uint64_t stack_low;  // of the mapping of the own stack
};

static uint64_t
page_of(uint64_t address)
{
  return address & ~(PAGE - 1ul);
}

static void
add_range(struct notes *notes, uint64_t start, uint64_t end, enum range_kind kind, const char *path)
{
  size_t length = end > start ? end - start : 0, room = LESSON_COPIES - notes->used;

  // The words that a child may write come first in the data of a file.
  length = length < LARGEST_DATA ? length : LARGEST_DATA;
  length = length < room ? length : room;
  if (length == 0 || notes->range_count == LESSON_RANGES)
    return;
  notes->ranges[notes->range_count++] =
      (struct range){start, start + length, notes->copies + notes->used, kind, path};
  notes->used += (length + 63) & ~63ul;
}

// One call instead of a fault for each page (Linux 5.14; older ones refuse, and fault).
static void
populate(const void *memory, size_t size)
{
  enum { POPULATE_WRITE = 23 };
  uint64_t start = page_of((uint64_t)(uintptr_t)memory);

  RAW(SYS_madvise, start, (uint64_t)(uintptr_t)memory + size - start, POPULATE_WRITE);
}

static void
copy_ranges(struct notes *notes)
{
  populate(notes->copies, notes->used);
  for (int i = 0; i < notes->range_count; i++) {
    const struct range *r = &notes->ranges[i];
    memcpy(notes->copies + (r->copy - notes->copies), (const void *)r->start, r->end - r->start);
  }
}

// File mappings, and the zeroed memory that follows one.
static void
add_data(struct notes *notes)
{
  const struct mappings *m = notes->before;
  const char *path = "";
  uint64_t end = 0;

  for (int i = 0; i < m->count; i++) {
    const struct mapping *at = &m->at[i];
    if (at->name[0] == '/')
      path = at->name;
    else if (at->name[0] || at->start != end)
      path = "";
    end = at->end;
    if (!*path || !at->writable || !at->readable || at->shared || elf_data_is_own(at->start))
      continue;
    // Memory of others may have been joined to it.
    uint64_t last = at->name[0] ? at->end : elf_data_end(m, at->start, path);
    add_range(notes, at->start, last < at->end ? last : at->end, RANGE_DATA, path);
  }
}

// The thread block with what shares its pages; on a thread's stack it is above what is in use.
static void
add_thread_block(struct notes *notes)
{
  uint64_t pointer = (uint64_t)(uintptr_t)__builtin_thread_pointer();
  uint64_t low = page_of(pointer - libc_layout_thread_block());
  uint64_t high = page_of(pointer + THREAD_STRUCT + PAGE - 1);
  const struct mapping *m = mappings_find(notes->before, pointer);

  if (!m)
    return;
  if (notes->frame->stack_end > low && notes->frame->stack_end < high)
    low = notes->frame->stack_end;
  add_range(notes, low < m->start ? m->start : low, high > m->end ? m->end : high, RANGE_THREAD,
            "");
}

bool
lesson_prepare(struct notes *notes)
{
  const struct calling_frame *frame = notes->frame;

  notes->before = mappings_read(notes->maps, sizeof notes->maps);
  if (!notes->before || !notes->before->whole)
    return false;
  add_range(notes, frame->sp, frame->stack_end, RANGE_STACK, "");
  add_range(notes, frame->stack_end, page_of(frame->stack_end + PAGE - 1), RANGE_ARGUMENTS, "");
  add_thread_block(notes);
  add_data(notes);
  copy_ranges(notes);
  return true;
}

static void
deny(struct judge *j, const char *reason)
{
  if (j->verdict == LESSON_DENIED)
    return;
  j->verdict = LESSON_DENIED;
  snprintf(j->notes->lesson->reason, sizeof j->notes->lesson->reason, "%s", reason);
}

static void
deny_data(struct judge *j, uint64_t address, const char *path, const char *how)
{
  struct lesson *lesson = j->notes->lesson;
  uint64_t offset = elf_data_offset(j->notes->before, address, path);
  const char *slash = strrchr(path, '/');
  char reason[sizeof lesson->reason];

  if (j->verdict == LESSON_DENIED)
    return;
  snprintf(lesson->path, sizeof lesson->path, "%s", path);
  lesson->written = offset;
  snprintf(reason, sizeof reason, "%s%.64s+0x%lx", how, slash ? slash + 1 : path,
           (unsigned long)offset);
  deny(j, reason);
}

// Which of the page's variables it was cannot be seen.
static void
deny_same(struct judge *j, uint64_t page, const char *path)
{
  if (j->verdict == LESSON_DENIED)
    return;
  deny_data(j, page, path, "wrote what was there already in the page ");
  j->notes->lesson->path[0] = 0;
}

static void
deny_memory(struct judge *j, uint64_t address)
{
  const struct snapshot *threads = j->notes->threads;
  const struct mapping *m = mappings_find(j->notes->before, address);

  if (!m) {
    deny(j, "mapped memory and wrote it");
    return;
  }
  for (int i = 0; threads && i < threads->count; i++) {
    uint64_t sp = threads->threads[i].registers.at[REG_SP];
    if (sp >= m->start && sp < m->end) {
      deny(j, "wrote the stack of another thread");
      return;
    }
  }
  if (m->name[0] == '/')
    deny_data(j, address, m->name, "wrote ");
  else if (strcmp(m->name, "[heap]") == 0)
    deny(j, "wrote the heap");
  else if (strcmp(m->name, "[stack]") == 0)
    deny(j, "wrote its arguments or environment, or the main thread's stack");
  else
    deny(j, "wrote anonymous memory");
}

static bool
within(uint64_t address, const void *start, size_t length)
{
  return address - (uint64_t)(uintptr_t)start < length;
}

bool
lesson_is_own(const struct notes *notes, uint64_t address)
{
  for (int i = 0; i < LESSON_OWN; i++) {
    if (within(address, notes->own[i].start, notes->own[i].size))
      return true;
  }
  return false;
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
changed(struct judge *j, const struct range *r, uint64_t address)
{
  struct notes *notes = j->notes;

  switch (r->kind) {
  case RANGE_STACK:
    if (!within(address, (void *)notes->frame->return_slot, sizeof(uint64_t)) &&
        address + 1 - notes->frame->sp > notes->lesson->reach)
      notes->lesson->reach = address + 1 - notes->frame->sp;
    break;
  case RANGE_THREAD:
    if (!allowed_in_thread(address))
      deny(j, "wrote thread-local memory");
    break;
  case RANGE_ARGUMENTS: deny(j, "wrote its arguments or environment"); break;
  case RANGE_DATA:
    // Lazy binding fills a slot, and the loader counts it. A change to its list of modules would
    // show in the mappings.
    if (!within(address, &environ, sizeof environ) && !elf_data_is_loader(r->path) &&
        !elf_data_is_got(notes->before, address, r->path))
      deny_data(j, address, r->path, "wrote ");
    break;
  }
}

// Between two calls libc's locks are free, and what else they guard is as it was: so does a thread
// of the process leave them. With the data of others an equal value is a write like any other.
static void
check_range(struct judge *j, const struct range *r, uint64_t low, uint64_t high)
{
  bool any = memcmp((const void *)low, r->copy + (low - r->start), high - low) != 0;

  for (uint64_t at = low; any && at < high; at++) {
    if (*(const unsigned char *)at != r->copy[at - r->start])
      changed(j, r, at);
  }
  if (!any && r->kind == RANGE_DATA && !elf_data_is_libc(r->path) && !elf_data_is_loader(r->path))
    deny_same(j, page_of(low), r->path);
}

static bool
check_page(struct judge *j, uint64_t page)
{
  struct notes *notes = j->notes;
  bool covered = page < page_of(notes->frame->sp) + PAGE && page >= j->stack_low;

  if (elf_data_is_own(page) || lesson_is_own(notes, page))
    return true;
  for (int i = 0; i < notes->range_count; i++) {
    const struct range *r = &notes->ranges[i];
    if (r->start >= page + PAGE || r->end <= page)
      continue;
    covered = true;
    check_range(j, r, r->start > page ? r->start : page,
                r->end < page + PAGE ? r->end : page + PAGE);
  }
  if (!covered)
    deny_memory(j, page);
  return j->verdict != LESSON_DENIED;
}

static bool
check_pages(uint64_t start, uint64_t end, void *argument)
{
  for (uint64_t page = start; page < end; page += PAGE) {
    if (!check_page(argument, page))
      return false;
  }
  return true;
}

static void
unknown(struct judge *j, const char *reason)
{
  if (j->verdict != LESSON_SAFE)
    return;
  j->verdict = LESSON_UNKNOWN;
  snprintf(j->notes->lesson->reason, sizeof j->notes->lesson->reason, "%s", reason);
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
check_mappings(struct judge *j, const struct mapping *stack)
{
  struct notes *notes = j->notes;
  const struct mappings *now = mappings_read(notes->maps_now, sizeof notes->maps_now);
  const struct mapping *stack_now = now ? mappings_find(now, notes->frame->sp) : NULL;

  if (!now || !now->whole || !stack || !stack_now)
    unknown(j, "its mappings cannot be read");
  // The main thread's stack grows by itself.
  else if (mappings_difference(notes->before, now, stack_now->start, stack->start))
    deny(j, "mapped, unmapped or protected memory");
}

enum lesson_verdict
lesson_judge(struct notes *notes)
{
  struct judge j = {.notes = notes, .verdict = LESSON_SAFE};
  const struct mapping *stack = mappings_find(notes->before, notes->frame->sp);

  j.stack_low = stack ? stack->start : page_of(notes->frame->sp);
  notes->lesson->reach = 0;
  if (!return_trap_waits())
    deny(&j, "left the function that called fork");
  if (!write_watch_each(notes->before, check_pages, &j))
    unknown(&j, "its child closed descriptors of the write tracking");
  check_mappings(&j, stack);
  if (notes->asks_threads && !threads_known(notes->threads))
    unknown(&j, "not every other thread could be stopped");
  const char *holder =
      notes->asks_threads && j.verdict == LESSON_SAFE ? pointer_holder(notes) : NULL;
  if (holder)
    deny(&j, holder);
  return j.verdict;
}
