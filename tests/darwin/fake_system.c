/* system_darwin.c for the command run on Linux by the tests. */
#include "process/system_darwin.h"
#include "base/message.h"

#include <stdlib.h>

char *
system_own_path(void)
{
  return realpath("/proc/self/exe", NULL);
}

enum protection_cpu
system_cpu(void)
{
  return PROTECTION_ARM64;
}

/* A program that writes what sample(1) would. */
const char *
system_sampler(void)
{
  const char *given = getenv("FAKE_SAMPLER");
  return given ? given : "/usr/bin/sample";
}
