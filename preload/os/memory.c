#include "memory.h"

#include <string.h>
#include <sys/mman.h>

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

void *
memory_map(size_t size)
{
  void *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return memory == MAP_FAILED ? NULL : memory;
}
