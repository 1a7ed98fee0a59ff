#include "descriptor.h"

#include "raw_syscall.h"

#include <fcntl.h>
#include <stdatomic.h>

enum { SLOTS = 64 };

__thread bool descriptor_unlisted;

static _Atomic int open_now[SLOTS];  // descriptor + 1; 0 is free

long
descriptor_open(const char *path, int flags)
{
  long fd = RAW(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOCTTY, 0644);

  for (int i = 0; fd >= 0 && !descriptor_unlisted && i < SLOTS; i++) {
    int expected = 0;
    if (atomic_compare_exchange_strong(&open_now[i], &expected, (int)fd + 1))
      break;
  }
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
  RAW(SYS_close, fd);
}

void
descriptor_close_inherited(void)
{
  for (int i = 0; i < SLOTS; i++) {
    if (open_now[i]) {
      RAW(SYS_close, open_now[i] - 1);
      open_now[i] = 0;
    }
  }
}
