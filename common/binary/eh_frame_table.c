#include "eh_frame_table.h"

enum { MOST_ENTRIES = 1 << 24 };

// Encodings of addresses (LSB Core, 10.5.1): 4 signed bytes, counted from where they are, or from
// the start of .eh_frame_hdr; 4 unsigned bytes as they are.
enum { RELATIVE = 0x1b, TABLE_RELATIVE = 0x3b, COUNT = 0x03 };

struct header {
  uint8_t version, eh_frame_encoding, count_encoding, table_encoding;
  int32_t eh_frame;
  uint32_t count;
};

// Sorted; both relative to the start of .eh_frame_hdr.
struct entry {
  int32_t code, description;
};

static bool
read_entry(struct pages *pages, uint64_t table, uint32_t i, struct entry *entry)
{
  return pages_read(pages, table + sizeof(struct header) + i * sizeof *entry, entry, sizeof *entry);
}

bool
frame_table_find(struct pages *pages, uint64_t table, uint64_t address, struct code_range *range)
{
  struct header header;
  struct entry entry;
  struct {
    uint32_t length, common;
    int32_t start;
    uint32_t size;
  } description;

  if (!pages_read(pages, table, &header, sizeof header) || header.version != 1 ||
      header.eh_frame_encoding != RELATIVE || header.count_encoding != COUNT ||
      header.table_encoding != TABLE_RELATIVE || header.count > MOST_ENTRIES)
    return false;
  uint32_t first = 0, end = header.count;  // the last that begins at or before the address
  while (end - first > 1) {
    uint32_t middle = first + (end - first) / 2;
    if (!read_entry(pages, table, middle, &entry))
      return false;
    if (table + (uint64_t)(int64_t)entry.code <= address)
      first = middle;
    else
      end = middle;
  }
  if (!header.count || !read_entry(pages, table, first, &entry))
    return false;
  uint64_t at = table + (uint64_t)(int64_t)entry.description;
  uint64_t start = table + (uint64_t)(int64_t)entry.code;
  if (!pages_read(pages, at, &description, sizeof description) ||
      at + 8 + (uint64_t)(int64_t)description.start != start)
    return false;
  *range = (struct code_range){start, description.size};
  return address - start < description.size;
}
