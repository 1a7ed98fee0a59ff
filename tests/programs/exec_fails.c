// truth: forks=2 silent=1
// Two children that only want to exec: the first a file that is not there, the second one that is
// no program. Both end at once.
#include "idle.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
run(const char *path, int status)
{
  pid_t child = fork();

  if (child == 0) {
    char *arguments[] = {(char *)path, NULL};
    execv(path, arguments);
    _exit(status);
  }
  waitpid(child, NULL, 0);
}

int
main(void)
{
  char path[] = "/tmp/exec_fails.XXXXXX";
  int fd = mkstemp(path);

  start_thread(idle);
  run("/does/not/exist", 1);
  if (fd < 0 || write(fd, "text\n", 5) != 5 || fchmod(fd, 0700) || close(fd))
    return EXIT_FAILURE;
  run(path, 2);
  unlink(path);
  return EXIT_SUCCESS;
}
