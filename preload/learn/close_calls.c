#include "close_calls.h"

#include "libc/real_calls.h"
#include "footprint/write_tracking.h"

#include <errno.h>
#include <limits.h>

int
own_close(int fd)
{
  if (!write_watch_keeps(fd))
    return fh_real.close(fd);
  errno = EBADF;
  return -1;
}

int
own___close(int fd)
{
  return own_close(fd);
}

int
own_close_range(unsigned int first, unsigned int last, int flags)
{
  return write_watch_around(first, last, fh_real.close_range, flags);
}

void
own_closefrom(int first)
{
  if (write_watch_on())
    write_watch_around(first < 0 ? 0 : (unsigned int)first, UINT_MAX, fh_real.close_range, 0);
  else
    fh_real.closefrom(first);
}
