#include "site.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct site sites[SITES];
static _Atomic int site_count;

static bool
matches(const struct site *s, uint64_t sp)
{
  // Innermost first: as long as the return addresses are those of the site, so are the functions,
  // and the next word is still on this stack.
  for (int i = 1; i < s->frames; i++) {
    if (*(const uint64_t *)(sp + s->offsets[i]) != s->pcs[i])
      return false;
  }
  return true;
}

struct site *
site_match(uint64_t sp)
{
  int n = atomic_load_explicit(&site_count, memory_order_acquire);

  for (int i = 0; i < n; i++) {
    if (matches(&sites[i], sp))
      return sites[i].same_as ? sites[i].same_as : &sites[i];
  }
  return NULL;
}

struct site *
site_add(uint64_t sp, const struct frame *frames, int count, const char *first, bool *known)
{
  int n = atomic_load_explicit(&site_count, memory_order_acquire);
  struct site *same = NULL;

  if (count > SITE_FRAMES)
    count = SITE_FRAMES;
  for (int i = 0; i < n && !same; i++) {
    int k = 1;
    while (k < count && sites[i].frames == count && sites[i].pcs[k] == frames[k].pc)
      k++;
    if (k >= count && sites[i].frames == count)
      same = sites[i].same_as ? sites[i].same_as : &sites[i];
  }
  *known = same != NULL;
  if (count < 2 || n == SITES)
    return same;
  struct site *s = &sites[n];
  s->same_as = same;
  s->frames = count;
  for (int i = 0; i < count; i++) {
    s->pcs[i] = frames[i].pc;
    s->offsets[i] = frames[i].slot - sp;
  }
  snprintf(s->first, sizeof s->first, "%s", first);
  atomic_store_explicit(&site_count, n + 1, memory_order_release);
  return same ? same : s;
}
