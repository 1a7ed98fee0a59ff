#include "pages.h"

#include <string.h>

static uint64_t
page_of(uint64_t address)
{
  return address & ~(PAGE_BYTES - 1ul);
}

static int
find(struct pages *pages, uint64_t page)
{
  if (pages->addresses[pages->latest] == page)
    return pages->latest;
  for (int i = 0; i < PAGES_KEPT; i++) {
    if (pages->addresses[i] == page)
      return pages->latest = i;
  }
  return -1;
}

static void
load(struct pages *pages, const uint64_t *addresses, int count)
{
  bool there[PAGES_AT_ONCE];

  if (pages->next + count > PAGES_KEPT)
    pages->next = 0;
  int first = pages->next;
  pages->next = first + count;
  pages->source.read(pages->source.context, addresses, PAGE_BYTES, count, pages->bytes[first],
                     there);
  for (int i = 0; i < count; i++)
    pages->addresses[first + i] = there[i] ? addresses[i] : 0;
}

bool
pages_read(struct pages *pages, uint64_t address, void *to, size_t length)
{
  unsigned char *bytes = to;

  if (address > UINT64_MAX - length)
    return false;
  while (length > 0) {
    uint64_t page = page_of(address), within = address - page;
    size_t n = PAGE_BYTES - within < length ? PAGE_BYTES - within : length;
    if (page == 0)  // nothing is ever mapped there (vm.mmap_min_addr)
      return false;
    int i = find(pages, page);
    if (i < 0) {
      load(pages, &page, 1);
      i = find(pages, page);
    }
    if (i < 0)
      return false;
    memcpy(bytes, pages->bytes[i] + within, n);
    bytes += n;
    address += n;
    length -= n;
  }
  return true;
}

uint64_t
pages_pointer(struct pages *pages, uint64_t address)
{
  uint64_t value;

  return pages_read(pages, address, &value, sizeof value) ? value : 0;
}

void
pages_words(struct pages *pages, const uint64_t *addresses, uint64_t *words, int count)
{
  bool there[WORDS_AT_ONCE];

  pages->source.read(pages->source.context, addresses, sizeof *words, count, words, there);
  for (int i = 0; i < count; i++) {
    if (!there[i])
      words[i] = 0;
  }
}

bool
pages_kept(struct pages *pages, uint64_t address)
{
  return find(pages, page_of(address)) >= 0;
}

void
pages_expect(struct pages *pages, const uint64_t *addresses, int count)
{
  uint64_t wanted[PAGES_AT_ONCE];
  int n = 0;

  for (int i = 0; i < count && n < PAGES_AT_ONCE; i++) {
    uint64_t page = page_of(addresses[i]);
    bool known = page == 0 || find(pages, page) >= 0;
    for (int k = 0; k < n; k++)
      known |= wanted[k] == page;
    if (!known)
      wanted[n++] = page;
  }
  if (n > 0)
    load(pages, wanted, n);
}
