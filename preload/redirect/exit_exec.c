#include "exit_exec.h"

#include "raw_syscall.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

static char path[1024];

void
ender_start(void)
{
  Dl_info info;

  if (dladdr(path, &info) == 0 ||
      snprintf(path, sizeof path, "%s", info.dli_fname) >= (int)sizeof path)
    path[0] = 0;
}

void
ender_exec(int status)
{
  char spelled[] = {(char)('a' + (status >> 4 & 15)), (char)('a' + (status & 15)), 0};
  char name[] = "forkhound";
  char *const arguments[] = {name, spelled, NULL};
  char *const environment[] = {NULL};

  if (path[0] == '/')
    RAW(SYS_execve, path, arguments, environment);
}
