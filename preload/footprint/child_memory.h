// What one watched child did with its memory: copies of what may change, and the judgement.
#pragma once

#include "calling_frame.h"
#include "mappings.h"
#include "capture/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lesson_verdict { LESSON_NONE, LESSON_SAFE, LESSON_DENIED, LESSON_UNKNOWN };

// Shared by parent and child (MAP_SHARED).
struct lesson {
  _Atomic int verdict;          // futex: an enum lesson_verdict; what follows is written before
  _Atomic uint64_t watched_at;  // CLOCK_MONOTONIC, ns; 0: not yet
  char reason[160];
  char calls[128];   // that are not async-signal-safe, with commas between them
  char path[256];    // of the file whose data was written, or ""
  uint64_t written;  // address in it
};

// Memory of ours in the parent: copies of stacks and the like.
struct own_memory {
  const void *start;
  size_t size;
};

enum {
  LESSON_PAGE = 4096,
  LESSON_OWN = 4,
  LESSON_RANGES = 512,
  LESSON_COPIES = 4 << 20,
  LESSON_MAPS = 1 << 20,
  LESSON_SEEN = 32768,  // a power of 2
};

// The page that it is in.
static inline uint64_t
lesson_page(uint64_t address)
{
  return address & ~(LESSON_PAGE - 1ul);
}

enum range_kind { RANGE_STACK, RANGE_THREAD, RANGE_ARGUMENTS, RANGE_DATA };

struct range {
  uint64_t start, end;
  const unsigned char *copy;

  enum range_kind kind;
  const char *path;  // of RANGE_DATA
};

// The child's own: what it writes here does not count.
struct notes {
  const struct calling_frame *frame;
  const struct snapshot *threads;
  bool asks_threads;  // whether another one could write the frame
  struct own_memory own[LESSON_OWN];
  struct lesson *lesson;
  struct mappings *before;
  int range_count;
  size_t used;  // of copies
  struct range ranges[LESSON_RANGES];
  uint64_t seen[LESSON_SEEN];  // blocks searched for pointers, and how far on from there
  _Alignas(64) unsigned char maps[LESSON_MAPS], maps_now[LESSON_MAPS];
  _Alignas(64) unsigned char copies[LESSON_COPIES];
};

// In the child, before it is watched: lists its mappings and copies its stack, thread block and the
// data of modules. False without /proc.
bool lesson_prepare(struct notes *notes);

// Whether the address is in memory of ours.
bool lesson_is_own(const struct notes *notes, uint64_t address);

// judge_child.c. In the child, watched: fills the lesson but for its verdict, which is returned.
enum lesson_verdict lesson_judge(struct notes *notes);
