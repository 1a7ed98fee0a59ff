// Reads of memory that may not be there, of this process or of another, with a small cache: what is
// read once is read as it was then. No locks, no allocation: any thread, any child.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One call of process_vm_readv() for 32 pages takes a third of the time of 32 calls. Not more pages
// are kept than are needed: memory of ours that is touched for the first time costs as much as a
// read.
enum {
  PAGE_BYTES = 4096,
  PAGES_KEPT = 48,
  PAGES_EXPECTED = 128,
  PAGES_AT_ONCE = 32,
  PAGES_MEMORY = (PAGES_KEPT + PAGES_EXPECTED) * PAGE_BYTES,
  WORDS_AT_ONCE = 64,
};

// The seam to a process: copies `length` bytes from each of `count` addresses (at most
// WORDS_AT_ONCE) to `to`, one after the other, and says which of them were all there.
struct pages_source {
  bool cheap;  // a read costs next to nothing: no page is kept
  void (*read)(void *context, const uint64_t *addresses, size_t length, int count, void *to,
               bool *there);
  void *context;
};

struct pages {
  struct pages_source source;
  unsigned char (*bytes)[PAGE_BYTES];               // PAGES_MEMORY
  int next, next_expected;                          // to be replaced
  int latest;                                       // used last
  uint64_t addresses[PAGES_KEPT + PAGES_EXPECTED];  // 0: empty
  int16_t first[PAGES_KEPT + PAGES_EXPECTED];       // by hash: the place of a page + 1, 0: none
  int16_t following[PAGES_KEPT + PAGES_EXPECTED];   // of the same hash, likewise
};

// *pages must be zeroed, but for `source` and `bytes`, which may hold anything. All of the bytes
// are read, or it returns false.
bool pages_read(struct pages *pages, uint64_t address, void *to, size_t length);

// The pointer at an address, 0 where it cannot be read.
uint64_t pages_pointer(struct pages *pages, uint64_t address);

// Reads words past the cache, at most WORDS_AT_ONCE: 0 for each that is not there.
void pages_words(struct pages *pages, const uint64_t *addresses, uint64_t *words, int count);

// Whether the page of the address is in the cache.
bool pages_kept(struct pages *pages, uint64_t address);

// The cache as a source, of that which may be read word by word.
struct pages_source pages_as_source(struct pages *pages);

// Brings the pages of the addresses (at most PAGES_AT_ONCE) into the cache: one call of the source
// costs less than one for each. They stay until PAGES_EXPECTED more are expected, or
// pages_expect_others() says that they have been used.
void pages_expect(struct pages *pages, const uint64_t *addresses, int count);
void pages_expect_others(struct pages *pages);
