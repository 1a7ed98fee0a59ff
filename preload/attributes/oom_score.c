#include "oom_score.h"

#include "os/descriptor.h"
#include "raw_syscall.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char path[] = "/proc/self/oom_score_adj";

int
oom_score_read(void)
{
  char text[16] = "";
  long fd = descriptor_open(path, O_RDONLY);

  if (fd < 0)
    return OOM_SCORE_UNKNOWN;
  long n = RAW(SYS_read, fd, text, sizeof text - 1);
  descriptor_close(fd);
  return n > 0 ? (int)strtol(text, NULL, 10) : OOM_SCORE_UNKNOWN;
}

void
oom_score_restore(int score)
{
  char text[16];

  if (score == OOM_SCORE_UNKNOWN || oom_score_read() == score)
    return;
  int length = snprintf(text, sizeof text, "%d", score);
  long fd = descriptor_open(path, O_WRONLY);
  if (fd < 0)
    return;
  RAW(SYS_write, fd, text, length);
  descriptor_close(fd);
}
