#include "open_file.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
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

// Where someone holds its other end this waits, as any reader does.
static void
tell_if_abandoned(FILE *file, const char *path)
{
  struct stat st;
  if (fstat(fileno(file), &st) || !S_ISFIFO(st.st_mode))
    return;
  int first = getc(file);
  if (first == EOF)
    message("%s: a FIFO that nobody writes: taken as empty", path);
  else
    ungetc(first, file);
}

FILE *
open_stream(const char *path, const char *how)
{
  bool reads = *how == 'r';
  int fd =
      reads ? open_file(path, O_RDONLY, 0) : open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  FILE *file = fd < 0 ? NULL : fdopen(fd, how);
  if (file && reads)
    tell_if_abandoned(file, path);
  return file;
}

const char *
open_error(void)
{
  return errno == ENXIO ? "a FIFO that nobody reads" : strerror(errno);
}
