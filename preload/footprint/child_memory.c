#include "child_memory.h"

#include "elf_data.h"
#include "libc/glibc/thread_layout.h"
#include "raw_syscall.h"

#include <string.h>

enum {
  LARGEST_DATA = 2 << 20,  // of one mapping that is copied
};

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
  uint64_t start = lesson_page((uint64_t)(uintptr_t)memory);

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
  uint64_t low = lesson_page(pointer - libc_layout_thread_block());
  uint64_t high = lesson_page(pointer + libc_layout_descriptor() + LESSON_PAGE - 1);
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
  add_range(notes, frame->stack_end, lesson_page(frame->stack_end + LESSON_PAGE - 1),
            RANGE_ARGUMENTS, "");
  add_thread_block(notes);
  add_data(notes);
  copy_ranges(notes);
  return true;
}

bool
lesson_is_own(const struct notes *notes, uint64_t address)
{
  for (int i = 0; i < LESSON_OWN; i++) {
    if (address - (uint64_t)(uintptr_t)notes->own[i].start < notes->own[i].size)
      return true;
  }
  return false;
}
