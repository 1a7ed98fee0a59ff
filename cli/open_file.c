#include "open_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
open_file(const char *path, int flags, mode_t mode)
{
  int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
  if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK)) {
    close(fd);
    return -1;
  }
  return fd;
}

FILE *
open_stream(const char *path, const char *how)
{
  int fd = *how == 'r' ? open_file(path, O_RDONLY, 0)
                       : open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  return fd < 0 ? NULL : fdopen(fd, how);
}

const char *
open_error(void)
{
  return errno == ENXIO ? "a FIFO that nobody reads" : strerror(errno);
}
