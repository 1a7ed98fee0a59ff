// Reads of memory that may not be there, of this process or of another, with a small cache: what is
// read once is read as it was then. No locks, no allocation: any thread, any child.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Few pages: memory of ours that is touched for the first time costs more than a read.
enum { PAGE_BYTES = 4096, PAGES_KEPT = 48, PAGES_AT_ONCE = 8, WORDS_AT_ONCE = 64 };

// The seam to a process: copies `length` bytes from each of `count` addresses (at most
// WORDS_AT_ONCE) to `to`, one after the other, and says which of them were all there.
struct pages_source {
  void (*read)(void *context, const uint64_t *addresses, size_t length, int count, void *to,
               bool *there);
  void *context;
};

struct pages {
  struct pages_source source;
  int next;                        // to be replaced
  int latest;                      // used last
  uint64_t addresses[PAGES_KEPT];  // 0: empty
  unsigned char bytes[PAGES_KEPT][PAGE_BYTES];
};

// *pages must be zeroed, but for `source`. All of the bytes are read, or it returns false.
bool pages_read(struct pages *pages, uint64_t address, void *to, size_t length);

// The pointer at an address, 0 where it cannot be read.
uint64_t pages_pointer(struct pages *pages, uint64_t address);

// Reads words past the cache, at most WORDS_AT_ONCE: 0 for each that is not there.
void pages_words(struct pages *pages, const uint64_t *addresses, uint64_t *words, int count);

// Whether the page of the address is in the cache.
bool pages_kept(struct pages *pages, uint64_t address);

// Brings the pages of the addresses (at most PAGES_AT_ONCE) into the cache: one call of the source
// costs less than one for each.
void pages_expect(struct pages *pages, const uint64_t *addresses, int count);
