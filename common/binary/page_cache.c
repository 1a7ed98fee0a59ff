#include "page_cache.h"

#include <string.h>

static uint64_t
page_of(uint64_t address)
{
  return address & ~(PAGE_BYTES - 1ul);
}

static int16_t *
first_of(struct pages *pages, uint64_t page)
{
  size_t hashes = sizeof pages->first / sizeof pages->first[0];

  return &pages->first[(page / PAGE_BYTES * 0x9e3779b97f4a7c15ul >> 32) % hashes];
}

static int
find(struct pages *pages, uint64_t page)
{
  if (pages->addresses[pages->latest] == page)
    return pages->latest;
  for (int i = *first_of(pages, page); i > 0; i = pages->following[i - 1]) {
    if (pages->addresses[i - 1] == page)
      return pages->latest = i - 1;
  }
  return -1;
}

static void
forget(struct pages *pages, int i)
{
  int16_t *link = first_of(pages, pages->addresses[i]);

  while (*link > 0 && *link != i + 1)
    link = &pages->following[*link - 1];
  if (*link > 0)
    *link = pages->following[i];
  pages->addresses[i] = 0;
}

static void
keep(struct pages *pages, int i, uint64_t page)
{
  int16_t *first = first_of(pages, page);

  pages->addresses[i] = page;
  pages->following[i] = *first;
  *first = (int16_t)(i + 1);
}

static void
load(struct pages *pages, int first, const uint64_t *addresses, int count)
{
  bool there[PAGES_AT_ONCE];

  for (int i = first; i < first + count; i++)
    forget(pages, i);
  pages->source.read(pages->source.context, addresses, PAGE_BYTES, count, pages->bytes[first],
                     there);
  for (int i = 0; i < count; i++) {
    if (there[i])
      keep(pages, first + i, addresses[i]);
  }
}

bool
pages_read(struct pages *pages, uint64_t address, void *to, size_t length)
{
  unsigned char *bytes = to;

  if (address > UINT64_MAX - length)
    return false;
  if (pages->source.cheap) {
    bool there;
    pages->source.read(pages->source.context, &address, length, 1, to, &there);
    return there;
  }
  while (length > 0) {
    uint64_t page = page_of(address), within = address - page;
    size_t n = PAGE_BYTES - within < length ? PAGE_BYTES - within : length;
    if (page == 0)  // nothing is ever mapped there (vm.mmap_min_addr)
      return false;
    int i = find(pages, page);
    if (i < 0) {
      load(pages, pages->next, &page, 1);
      pages->next = (pages->next + 1) % PAGES_KEPT;
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

static void
read_kept(void *context, const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  for (int i = 0; i < count; i++)
    there[i] = pages_read(context, addresses[i], (unsigned char *)to + (size_t)i * length, length);
}

struct pages_source
pages_as_source(struct pages *pages)
{
  return (struct pages_source){.read = read_kept, .context = pages};
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
  if (n == 0)
    return;
  if (pages->next_expected + n > PAGES_EXPECTED)
    pages->next_expected = 0;
  load(pages, PAGES_KEPT + pages->next_expected, wanted, n);
  pages->next_expected += n;
}

void
pages_expect_others(struct pages *pages)
{
  pages->next_expected = 0;
}
