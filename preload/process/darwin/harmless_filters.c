#include "process/harmless_filters.h"

int
harmless_filters(void)
{
  return 0;
}
