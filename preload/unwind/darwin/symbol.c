#include "unwind/symbol.h"

#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <stdio.h>
#include <string.h>

// `offset` counts from the header of the image, as a struct module has it. dladdr() gives the last
// symbol before the address.
bool
symbol_find(const char *path, uint64_t offset, char *name, size_t size)
{
  for (uint32_t i = 0; i < _dyld_image_count(); i++) {
    const char *image = _dyld_get_image_name(i);
    Dl_info info;
    if (!image || strcmp(image, path) != 0)
      continue;
    const char *header = (const char *)_dyld_get_image_header(i);
    if (!header || !dladdr(header + offset, &info) || !info.dli_sname)
      return false;
    snprintf(name, size, "%s", info.dli_sname);
    return true;
  }
  return false;
}

void
symbol_done(void)
{
}

bool
symbol_of_event(const char *path, uint64_t offset, char *name, size_t size)
{
  return symbol_find(path, offset, name, size);
}
