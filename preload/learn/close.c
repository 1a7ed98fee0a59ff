// A fork child that is watched has two descriptors of ours. To the program they are not open: many
// children close all that they find.
#include "interpose.h"
#include "write_watch.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

FH_EXPORT int
close(int fd)
{
  if (write_watch_keeps(fd)) {
    errno = EBADF;
    return -1;
  }
  fh_real_resolve();
  return fh_real.close(fd);
}

FH_EXPORT int __close(int fd) __attribute__((alias("close")));

FH_EXPORT int
close_range(unsigned int first, unsigned int last, int flags)
{
  fh_real_resolve();
  if (!fh_real.close_range) {  // before glibc 2.34
    errno = ENOSYS;
    return -1;
  }
  return write_watch_around(first, last, fh_real.close_range, flags);
}

FH_EXPORT void
closefrom(int first)
{
  fh_real_resolve();
  if (write_watch_on() && fh_real.close_range)
    write_watch_around(first < 0 ? 0 : (unsigned int)first, UINT_MAX, fh_real.close_range, 0);
  else if (fh_real.closefrom)
    fh_real.closefrom(first);
}
