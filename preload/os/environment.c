#include "environment.h"

#include "memory.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { AT_ONCE = 64, MOST = 4096, NAME_BYTES = 32 };

// How many of the pointers at `address` there are, at most AT_ONCE, before the NULL.
static int
read_pointers(uint64_t address, uint64_t *pointers)
{
  size_t length = memory_copy(pointers, AT_ONCE * sizeof *pointers, address);
  int n = 0;

  while (n < (int)(length / sizeof *pointers) && pointers[n])
    n++;
  return n;
}

static bool
read_value(uint64_t address, char *value, size_t size)
{
  size_t length = memory_copy(value, size - 1, address);

  value[length] = 0;
  return length > 0;
}

bool
environment_get(const char *name, char *value, size_t size)
{
  uint64_t address = (uint64_t)(uintptr_t)environ, pointers[AT_ONCE];
  size_t length = strlen(name);
  int n = AT_ONCE;

  for (int seen = 0; address && n == AT_ONCE && seen < MOST; seen += n) {
    char names[AT_ONCE][NAME_BYTES];
    bool there[AT_ONCE];
    n = read_pointers(address, pointers);
    address += sizeof pointers;
    memory_copy_many(pointers, length, n, names, there);
    for (int i = 0; i < n; i++) {
      if (there[i] && memcmp((char *)names + (size_t)i * length, name, length) == 0)
        return read_value(pointers[i] + length, value, size);
    }
  }
  return false;
}
