#include "output_stderr.h"

#include "common/text/text_buffer.h"
#include "output_system.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  bool open;
  dev_t device;
  ino_t inode;
} stderr_at_start;

void
output_start(void)
{
  struct stat st;
  int saved = errno;

  if (fstat(STDERR_FILENO, &st) == 0) {
    stderr_at_start.open = true;
    stderr_at_start.device = st.st_dev;
    stderr_at_start.inode = st.st_ino;
  }
  errno = saved;
}

void
output_stderr(const struct text *t)
{
  struct stat st;
  int saved = errno;

  if (t->length > 0 && stderr_at_start.open && output_system_allows() &&
      fstat(STDERR_FILENO, &st) == 0 && st.st_dev == stderr_at_start.device &&
      st.st_ino == stderr_at_start.inode)
    output_system_write(STDERR_FILENO, t);
  errno = saved;
}
