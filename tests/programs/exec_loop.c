// Execs itself for ever: healthy, and busy. usage: exec_loop [ROUNDS]   no number: for ever
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
  long left = argc > 1 ? strtol(argv[1], NULL, 10) : 1L << 40;
  char number[32];

  snprintf(number, sizeof number, "%ld", left - 1);
  if (left > 0)
    execl("/proc/self/exe", argv[0], number, (char *)NULL);
  return 0;
}
