#include "process/harmless_filters.h"

#include "os/descriptor.h"
#include "process/process.h"
#include "raw_syscall.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

// How many filters the command has found to be harmless: they are those that it runs under itself
// (cli/launch/filter_probe.c).
int
harmless_filters(void)
{
  static _Atomic int known = -1;
  char path[640], text[16] = "";
  size_t folder = strlen(process.events.value);

  if (known >= 0)
    return known;
  while (folder > 0 && process.events.value[folder - 1] != '/')
    folder--;
  long fd = -1;
  if (folder > 0 && folder + sizeof "filters" <= sizeof path) {
    memcpy(path, process.events.value, folder);
    memcpy(path + folder, "filters", sizeof "filters");
    fd = descriptor_open(path, O_RDONLY | O_NOFOLLOW);
  }
  if (fd >= 0) {
    RAW(SYS_read, fd, text, sizeof text - 1);
    descriptor_close(fd);
  }
  known = (int)strtol(text, NULL, 10);
  return known;
}
