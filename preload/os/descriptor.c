#include "descriptor.h"

#include "hot.h"
#include "kernel.h"

#include <fcntl.h>
#include <stdatomic.h>

enum { SLOTS = 64 };

__thread bool descriptor_unlisted;

static _Atomic int open_now[SLOTS];  // descriptor + 1; 0 is free

void
descriptor_list(long fd)
{
  for (int i = 0; fd >= 0 && !descriptor_unlisted && i < SLOTS; i++) {
    int expected = 0;
    if (atomic_compare_exchange_strong(&open_now[i], &expected, (int)fd + 1))
      break;
  }
}

long
descriptor_open(const char *path, int flags)
{
  long fd = kernel_open(path, flags | O_CLOEXEC | O_NOCTTY);

  descriptor_list(fd);
  return fd;
}

void
descriptor_close(long fd)
{
  for (int i = 0; !descriptor_unlisted && i < SLOTS; i++) {
    int expected = (int)fd + 1;
    if (atomic_compare_exchange_strong(&open_now[i], &expected, 0))
      break;
  }
  kernel_close(fd);
}

IN_EACH_CHILD void
descriptor_close_inherited(void)
{
  for (int i = 0; i < SLOTS; i++) {
    if (open_now[i]) {
      kernel_close(open_now[i] - 1);
      open_now[i] = 0;
    }
  }
}
