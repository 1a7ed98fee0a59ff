#include "diagnose.h"
#include "base/message.h"

int
diagnose(const struct options *options)
{
  die("diagnose: not on macOS yet: try 'sample %s'", options->command[0]);
}
