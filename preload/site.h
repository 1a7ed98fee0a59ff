// Fork sites already reported. A site is recognised before the fork without unwinding: the words
// where its stack had return addresses must hold the same ones again.
#pragma once

#include "unwind.h"

#include <stdbool.h>
#include <stdint.h>

enum { SITES = 128, SITE_FRAMES = 64 };

struct site {
  int frames;
  uint64_t pcs[SITE_FRAMES];
  uint64_t offsets[SITE_FRAMES];  // of the return address from the stack pointer
  _Atomic uint64_t python;        // python_story_place() of it, 0: none
  struct site *same_as;           // the same frames at other offsets were known before
  char first[32];                 // id of the fork that was reported
  _Atomic unsigned seen;
};

// The site of the calling thread with this stack pointer in its fork handler, or NULL. Reads only
// the caller's own live stack, and the Python frames if there are any. No locks, no allocation.
struct site *site_match(uint64_t sp);

// Remembers the site unwound at `sp`. If the same frames are known at other offsets, that site is
// returned and *known is true. NULL when the table is full or nothing was unwound. One caller at a
// time.
struct site *site_add(uint64_t sp, const struct frame *frames, int count, uint64_t python,
                      const char *first, bool *known);

// No further site can be remembered.
bool site_full(void);
