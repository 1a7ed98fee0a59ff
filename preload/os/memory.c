#include "memory.h"

#include <string.h>

size_t
memory_copy_own_stack(void *to, size_t length, uint64_t sp)
{
  size_t n = memory_copy(to, length, sp);

  if (n > 0)
    return n;
  n = 4096 - (sp & 4095);
  if (n > length)
    n = length;
  memcpy(to, (const void *)sp, n);
  return n;
}
