#include "footprint/mappings.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

enum { BYTES = 1 << 20, PAGE = 4096 };

static unsigned char first[BYTES], second[BYTES];
static int variable;

static struct mappings *
read_into(void *memory)
{
  struct mappings *m = mappings_read(memory, BYTES);

  cr_assert(m && m->whole);
  return m;
}

Test(mappings, finds_what_is_mapped)
{
  struct mappings *m = read_into(first);
  const struct mapping *data = mappings_find(m, (uint64_t)(uintptr_t)&variable);
  const struct mapping *stack = mappings_find(m, (uint64_t)(uintptr_t)__builtin_frame_address(0));

  cr_assert(data && stack);
  cr_expect(data->writable && data->readable && !data->executable && !data->shared);
  cr_expect_str_eq(stack->name, "[stack]");
  cr_expect_null(mappings_find(m, 0x1000));
}

Test(mappings, too_little_memory_is_said)
{
  struct mappings *m = mappings_read(first, 1024);

  cr_expect(m && !m->whole);
}

Test(mappings, tells_what_has_changed)
{
  unsigned char *pages = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct mappings *before = read_into(first);
  uint64_t at = (uint64_t)(uintptr_t)pages + PAGE;

  cr_expect_eq(mappings_difference(before, read_into(second), 0, 0), 0);
  mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
  cr_expect_eq(mappings_difference(before, read_into(second), 0, 0), at);
  cr_expect_eq(mappings_difference(before, read_into(second), at, at + PAGE), 0);
  mprotect(pages + PAGE, PAGE, PROT_READ);
  cr_expect_eq(mappings_difference(before, read_into(second), 0, 0), 0);
  munmap(pages + 2 * PAGE, PAGE);
  cr_expect_eq(mappings_difference(before, read_into(second), 0, 0), at + PAGE);
}
