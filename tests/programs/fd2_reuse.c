// truth: forks=1 threads=2 entry=fork exit=0 silent=1
// Descriptor 2 is a data file now: nothing of ours may get into it.
#include "idle.h"

#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(void)
{
  start_thread(idle);
  char path[] = "/tmp/forkhound-data-XXXXXX", bytes[16] = "";
  close(2);
  if (mkstemp(path) != 2)
    return 1;
  unlink(path);
  if (write(2, "data", 4) != 4)
    return 1;
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  waitpid(child, NULL, 0);
  lseek(2, 0, SEEK_SET);
  return read(2, bytes, sizeof bytes) == 4 && memcmp(bytes, "data", 4) == 0 ? 0 : 1;
}
