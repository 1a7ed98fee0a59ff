// Fork sites already reported. A site is recognised before the fork without unwinding: the words
// where its stack had return addresses must hold the same ones again, and no kind of thread may
// live that did not when it was reported.
#pragma once

#include "unwind/unwind.h"

#include <stdbool.h>
#include <stdint.h>

enum { SITES = 128, SITE_FRAMES = 64, SITE_GROUPS = 16 };

struct story;

struct site {
  int frames;
  uint64_t pcs[SITE_FRAMES];
  uint64_t offsets[SITE_FRAMES];  // of the return address from the stack pointer
  _Atomic uint64_t python;        // python_story_place() of it, 0: none
  struct site *same_as;           // the same frames at other offsets were known before
  _Atomic uint64_t reported;      // the fork that has its threads: pid << 32 | sequence
  _Atomic uint64_t kinds;         // of the threads it was reported with
  uint32_t groups[SITE_GROUPS];   // hashes of their modules' names
  int group_count;
};

// The site of the calling thread with this stack pointer in its fork handler, while these kinds of
// threads live, or NULL. Reads only the caller's own live stack, and the Python frames if there are
// any. No locks, no allocation.
struct site *site_match(uint64_t sp, uint64_t kinds);

// Remembers the site of a story, unwound at `sp`; the same frames at other offsets are the same
// site. NULL when the table is full or nothing was unwound. One caller at a time, as below.
struct site *site_add(uint64_t sp, const struct frame *frames, int count, uint64_t python);

// Remembers the kinds and groups of the story's threads as reported, and the fork as the one that
// has them. False, and an earlier fork stays that, if they all were reported before.
bool site_report(struct site *site, const struct story *story, uint64_t kinds, unsigned sequence);

// The id of the fork that was reported, as text.
void site_reported(const struct site *site, char id[32]);

// No further site can be remembered.
bool site_full(void);

// The number of the next fork of this process, from 1.
unsigned site_next_fork(void);

// A fork of this site; how many there have been.
unsigned site_see(const struct site *site);
unsigned site_seen(const struct site *site);
