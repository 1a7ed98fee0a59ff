#include "known_sites.h"

#include "os/memory.h"
#include "python_frames.h"
#include "fork_report.h"
#include "common/text/text_buffer.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct site sites[SITES];
static _Atomic int site_count;

// What each fork counts stands together: a page that is written after a fork is copied first.
static struct {
  _Atomic unsigned forks, seen[SITES];
} counts;

// A part of the stack, read so that an address beyond its end is no fault: the same return address
// does not promise a frame of the same size.
struct window {
  uint64_t address;
  size_t length;
  unsigned char bytes[1024];
};

static bool
word_is(struct window *w, uint64_t address, uint64_t value)
{
  if (address < w->address || address - w->address + sizeof value > w->length) {
    w->address = address;
    w->length = memory_copy_own_stack(w->bytes, sizeof w->bytes, address);
    if (w->length < sizeof value)
      return false;
  }
  return memcmp(w->bytes + (address - w->address), &value, sizeof value) == 0;
}

static bool
matches(const struct site *s, uint64_t sp, struct window *w)
{
  for (int i = 1; i < s->frames; i++) {
    if (!word_is(w, sp + s->offsets[i], s->pcs[i]))
      return false;
  }
  return true;
}

struct site *
site_match(uint64_t sp, uint64_t kinds)
{
  int n = atomic_load_explicit(&site_count, memory_order_acquire);
  struct window window = {.length = 0};
  uint64_t python = 0;
  bool asked = false;

  for (int i = 0; i < n; i++) {
    struct site *site = sites[i].same_as ? sites[i].same_as : &sites[i];
    if ((kinds & ~site->kinds) != 0 || !matches(&sites[i], sp, &window))
      continue;
    if (!asked)
      python = python_story_place();
    asked = true;
    if (sites[i].python == python)
      return site;
  }
  return NULL;
}

static bool
has_frames(const struct site *s, const struct frame *frames, int count)
{
  int k = 1;

  while (k < count && s->frames == count && s->pcs[k] == frames[k].pc)
    k++;
  return k >= count && s->frames == count;
}

static bool
has_offsets(const struct site *s, uint64_t sp, const struct frame *frames)
{
  for (int i = 0; i < s->frames; i++) {
    if (s->offsets[i] != frames[i].slot - sp)
      return false;
  }
  return true;
}

struct site *
site_add(uint64_t sp, const struct frame *frames, int count, uint64_t python)
{
  int n = atomic_load_explicit(&site_count, memory_order_acquire);
  struct site *same = NULL;

  if (count > SITE_FRAMES)
    count = SITE_FRAMES;
  for (int i = 0; i < n; i++) {
    if (sites[i].python != python || !has_frames(&sites[i], frames, count))
      continue;
    same = sites[i].same_as ? sites[i].same_as : &sites[i];
    if (has_offsets(&sites[i], sp, frames))
      return same;
  }
  if (count < 2 || n == SITES)
    return same;
  struct site *s = &sites[n];
  s->same_as = same;
  s->python = python;
  s->frames = count;
  for (int i = 0; i < count; i++) {
    s->pcs[i] = frames[i].pc;
    s->offsets[i] = frames[i].slot - sp;
  }
  atomic_store_explicit(&site_count, n + 1, memory_order_release);
  return same ? same : s;
}

static uint32_t
hash(const char *name)
{
  uint32_t h = 2166136261u;  // FNV-1a

  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 16777619u;
  return h;
}

// False where it is known, or there is no room.
static bool
add_group(struct site *site, uint32_t group)
{
  for (int i = 0; i < site->group_count; i++) {
    if (site->groups[i] == group)
      return false;
  }
  if (site->group_count == SITE_GROUPS)
    return false;
  site->groups[site->group_count++] = group;
  return true;
}

bool
site_report(struct site *site, const struct story *story, uint64_t kinds, unsigned sequence)
{
  bool news = site->reported == 0;

  for (int i = 0; i < story->group_count; i++)
    news = add_group(site, hash(story->groups[i].module)) || news;
  if (news)
    site->reported = (uint64_t)getpid() << 32 | sequence;
  atomic_fetch_or(&site->kinds, kinds);
  return news;
}

void
site_reported(const struct site *site, char id[32])
{
  uint64_t reported = site->reported;

  struct text text = {.bytes = id, .size = 32};

  text_add_number(&text, "", reported >> 32);
  text_add_number(&text, ".", (uint32_t)reported);
}

bool
site_full(void)
{
  return atomic_load_explicit(&site_count, memory_order_acquire) == SITES;
}

unsigned
site_next_fork(void)
{
  return ++counts.forks;
}

unsigned
site_see(const struct site *site)
{
  return ++counts.seen[site - sites];
}

unsigned
site_seen(const struct site *site)
{
  return counts.seen[site - sites];
}
