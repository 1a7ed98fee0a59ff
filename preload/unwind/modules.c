#include "modules.h"

#include <string.h>
#include <sys/mman.h>

void
modules_free(struct modules *modules)
{
  if (modules)
    munmap(modules, modules->mapped);
}

const struct module *
modules_find(const struct modules *modules, uint64_t address)
{
  for (int i = 0; modules && i < modules->count; i++) {
    if (address >= modules->at[i].low && address < modules->at[i].high)
      return &modules->at[i];
  }
  return NULL;
}

const char *
module_name(const struct module *m)
{
  const char *slash = strrchr(m->path, '/');

  return slash ? slash + 1 : m->path;
}
