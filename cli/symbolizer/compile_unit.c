#include "compile_unit.h"
#include "base/message.h"

#include <stdlib.h>

struct range {
  Dwarf_Addr start, end;
  Dwarf_Die *unit;
};

struct unit_ranges {
  struct range *list;
  size_t count;
};

static void
add(struct unit_ranges *ranges, Dwarf_Die *unit, Dwarf_Addr bias)
{
  Dwarf_Addr base, start, end;
  ptrdiff_t at = 0;
  while ((at = dwarf_ranges(unit, at, &base, &start, &end)) > 0) {
    if (start >= end)
      continue;
    if (!(ranges->count & (ranges->count - 1)))
      ranges->list =
          xrealloc(ranges->list, (ranges->count ? 2 * ranges->count : 1) * sizeof *ranges->list);
    ranges->list[ranges->count++] = (struct range){start + bias, end + bias, unit};
  }
}

static int
compare(const void *a, const void *b)
{
  const struct range *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static struct unit_ranges *
collect(Dwfl_Module *module)
{
  struct unit_ranges *ranges = xrealloc(NULL, sizeof *ranges);
  Dwarf_Die *unit = NULL;
  Dwarf_Addr bias;
  *ranges = (struct unit_ranges){0};
  while ((unit = dwfl_module_nextcu(module, unit, &bias)))
    add(ranges, unit, bias);
  if (ranges->count)
    qsort(ranges->list, ranges->count, sizeof *ranges->list, compare);
  return ranges;
}

// The last range that begins at or before the address.
static const struct range *
find(const struct unit_ranges *ranges, Dwarf_Addr address)
{
  size_t low = 0, high = ranges->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (ranges->list[middle].start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low && address < ranges->list[low - 1].end ? &ranges->list[low - 1] : NULL;
}

Dwarf_Die *
compile_unit(Dwfl_Module *module, struct unit_ranges **ranges, Dwarf_Addr address, Dwarf_Addr *bias)
{
  // Where .debug_aranges lists only some units, as in a library of Go that has parts in C, libdwfl
  // names the last one before a hole.
  Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
  if (unit && dwarf_haspc(unit, address - *bias) == 1)
    return unit;
  if (!dwfl_module_getdwarf(module, bias))
    return NULL;
  if (!*ranges)
    *ranges = collect(module);
  const struct range *range = find(*ranges, address);
  return range ? range->unit : NULL;
}

void
unit_ranges_free(struct unit_ranges *ranges)
{
  if (ranges)
    free(ranges->list);
  free(ranges);
}
