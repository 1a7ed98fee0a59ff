#include "pointer_search.h"

#include "elf_data.h"
#include "child_memory.h"
#include "libc/glibc/thread_layout.h"
#include "threads/thread_table.h"

#include <string.h>

enum {
  RED_ZONE = 128,  // bytes below sp that a leaf function may use (x86-64 psABI 3.2.2)
  STEP = 256,      // what is searched where a word points to
  THREAD_STEPS = 3,
  GLOBAL_STEPS = 1,
};

struct search {
  struct notes *notes;
  uint64_t frame, length;  // what must not be pointed to
  uint64_t low, high;      // of all mappings
};

// Each block once, or again if it leads further now; false, too, when there is no more room to
// remember them. The steps stand in the low bits of the address.
static bool
is_new(struct notes *notes, uint64_t address, int steps)
{
  for (uint64_t i = address / sizeof(uint64_t), k = 0; k < 16; k++) {
    uint64_t *slot = &notes->seen[((i * 0x9e3779b97f4a7c15u >> 40) + k) & (LESSON_SEEN - 1)];
    if ((*slot & ~7ul) == address && (*slot & 7) >= (unsigned)steps)
      return false;
    if (*slot == 0 || (*slot & ~7ul) == address) {
      *slot = address | (unsigned)steps;
      return true;
    }
  }
  return false;
}

static bool leads_to_frame(const struct search *s, const uint64_t *words, const uint64_t *end,
                           int steps);

static bool
block_leads_to_frame(const struct search *s, uint64_t address, int steps)
{
  const struct mapping *m = mappings_find(s->notes->before, address);

  // The own stack holds addresses of itself: who knows one of its outer frames knows none of this.
  if (!m || !m->readable || !m->writable || m->shared || lesson_is_own(s->notes, address) ||
      elf_data_is_own(address) || (s->frame >= m->start && s->frame < m->end) ||
      !is_new(s->notes, address, steps))
    return false;
  uint64_t end = m->end - address > STEP ? address + STEP : m->end;
  return leads_to_frame(s, (const uint64_t *)address, (const uint64_t *)end, steps);
}

static inline bool
word_leads_to_frame(const struct search *s, uint64_t word, int steps)
{
  if (word - s->frame < s->length)
    return true;
  return steps > 0 && word >= s->low && word < s->high && word % sizeof word == 0 &&
         block_leads_to_frame(s, word, steps - 1);
}

static bool
leads_to_frame(const struct search *s, const uint64_t *words, const uint64_t *end, int steps)
{
  const struct search copy = *s;

  for (; words + 1 <= end; words++) {
    if (word_leads_to_frame(&copy, *words, steps))
      return true;
  }
  return false;
}

static bool
thread_knows(const struct search *s, const struct registers *r)
{
  const struct mapping *m = mappings_find(s->notes->before, r->at[REG_SP]);

  for (int i = 0; i < REGISTERS; i++) {
    if (i != REG_SP && word_leads_to_frame(s, r->at[i], THREAD_STEPS))
      return true;
  }
  return m && m->readable &&
         leads_to_frame(s, (const uint64_t *)((r->at[REG_SP] - RED_ZONE) & ~7ul),
                        (const uint64_t *)m->end, THREAD_STEPS);
}

// What libc's start of a thread keeps in its frame is not the thread's. Here, where that thread is
// not, nobody misses it, and libc's descriptor leads there too.
static void
clear_outer_frames(const struct mappings *m, uint64_t sp)
{
  const struct mapping *stack = mappings_find(m, sp);
  uint64_t pointer, outer = stack ? thread_outer_frames(sp, stack->end, &pointer) : 0;
  uint64_t end = outer ? libc_layout_frames_end(pointer) : 0;

  if (end > outer && stack->writable)
    memset((void *)outer, 0, end - outer);
}

const char *
pointer_holder(struct notes *notes)
{
  const struct mappings *m = notes->before;
  struct search s = {
      .notes = notes,
      .frame = notes->frame->sp,
      .length = notes->frame->return_slot + sizeof(uint64_t) - notes->frame->sp,
      .low = m->at[0].start,
      .high = m->at[m->count - 1].end,
  };

  for (int i = 0; i < notes->threads->count; i++)
    clear_outer_frames(m, notes->threads->threads[i].registers.at[REG_SP]);
  for (int i = 0; i < notes->threads->count; i++) {
    if (thread_knows(&s, &notes->threads->threads[i].registers))
      return "another thread has a pointer into the frame that calls fork";
  }
  for (int i = 0; i < notes->range_count; i++) {
    const struct range *r = &notes->ranges[i];
    if (r->kind == RANGE_DATA && !elf_data_is_libc(r->path) && !elf_data_is_loader(r->path) &&
        leads_to_frame(&s, (const uint64_t *)(const void *)r->copy,
                       (const uint64_t *)(const void *)(r->copy + (r->end - r->start)),
                       GLOBAL_STEPS))
      return "a global variable leads to the frame that calls fork";
  }
  return NULL;
}
