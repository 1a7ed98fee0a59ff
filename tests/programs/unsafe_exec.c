// truth: forks=1 threads=2 entry=fork exec=1 unsafe=setenv,printf,readdir,syslog,pthread_create
// What the child does before exec is not allowed there. The parent did it before, which counts for
// nothing.

#include "idle.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

// Integers, doubles and a stack full of them must reach a variadic function.
static int
print(char *to, FILE *out)
{
  const char *format = "%d %s %g %g %g %g %g %g %g %g %g %c %ld\n";

  snprintf(to, 100, format, 1, "a", 1.5, 2.5, 3., 4., 5., 6., 7., 8., 9., 'x', 99L);
  return fprintf(out, format, 1, "a", 1.5, 2.5, 3., 4., 5., 6., 7., 8., 9., 'x', 99L);
}

int
main(void)
{
  char expected[100], read_back[100] = "";
  FILE *file = tmpfile();

  if (print(expected, file) != (int)strlen(expected))
    return 2;
  rewind(file);
  if (!fgets(read_back, sizeof read_back, file) || strcmp(expected, read_back))
    return 3;
  start_thread(idle);
  DIR *folder = opendir("/");
  pid_t child = fork();
  if (child == 0) {
    setenv("COLOUR", "blue", 1);
    printf("%s %g\n", "child", 2.5);
    readdir(folder);
    syslog(LOG_DEBUG, "child");
    start_thread(idle);
    execlp("true", "true", (char *)NULL);
    _exit(127);
  }
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
