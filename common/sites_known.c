#include "sites_known.h"

#include "text_buffer.h"

#include <stddef.h>
#include <string.h>

static const struct {
  const char *module, *function, *why;
} known[] = {
    {"-", "-", "-"},
};

const char *
sites_known(const char *module, const char *function)
{
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strncmp(module, known[i].module, strlen(known[i].module)) == 0 &&
        strcmp(function, known[i].function) == 0)
      return known[i].why;
  }
  return NULL;
}

void
sites_help(struct text *t)
{
  (void)t;
}
