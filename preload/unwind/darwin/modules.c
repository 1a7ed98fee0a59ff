// The images that dyld knows. Asked after the fork has returned in the parent, when dyld's lock can
// be waited for.
#include "unwind/modules.h"

#include "os/map.h"
#include "os/memory.h"

#include <mach-o/dyld.h>
#include <mach-o/loader.h>
#include <string.h>

// `base` is the address of the header, as crash reports and atos(1) count. Of the segments only
// __TEXT counts: in the shared cache the others lie far away, between those of other images.
static void
read_commands(struct module *m, const struct mach_header_64 *header)
{
  const unsigned char *at = (const unsigned char *)(header + 1);
  const unsigned char *end = at + header->sizeofcmds;

  for (uint32_t i = 0; i < header->ncmds && (size_t)(end - at) >= sizeof(struct load_command);
       i++) {
    const struct load_command *command = (const void *)at;
    const struct segment_command_64 *segment = (const void *)at;
    if (command->cmd == LC_SEGMENT_64 && memcmp(segment->segname, SEG_TEXT, sizeof SEG_TEXT) == 0)
      m->high = m->base + segment->vmsize;
    if (command->cmd == LC_UUID) {
      const struct uuid_command *uuid = (const void *)at;
      m->build_id_length = sizeof uuid->uuid;
      memcpy(m->build_id, uuid->uuid, sizeof uuid->uuid);
    }
    if (command->cmdsize < sizeof *command)
      return;
    at += command->cmdsize;
  }
}

struct modules *
modules_read(void)
{
  struct modules *modules = memory_map(sizeof *modules);

  if (!modules)
    return NULL;
  modules->mapped = sizeof *modules;
  for (uint32_t i = 0; i < _dyld_image_count() && modules->count < MODULES; i++) {
    const struct mach_header_64 *header = (const void *)_dyld_get_image_header(i);
    const char *path = _dyld_get_image_name(i);
    if (!header || !path || header->magic != MH_MAGIC_64)  // unloaded meanwhile
      continue;
    struct module *m = &modules->at[modules->count++];
    m->path = path;
    m->base = m->low = m->high = (uint64_t)(uintptr_t)header;
    read_commands(m, header);
  }
  return modules;
}

static bool
begins_with_one_of(const struct module *m, const char *const *names)
{
  const char *name = module_name(m);

  for (; *names; names++) {
    if (strncmp(name, *names, strlen(*names)) == 0)
      return true;
  }
  return false;
}

bool
module_is_own(const struct module *m)
{
  static const char *const names[] = {"libforkhound.", NULL};

  return begins_with_one_of(m, names);
}

bool
module_is_runtime(const struct module *m)
{
  static const char *const names[] = {"libforkhound.",     "libsystem_", "libSystem.", "libdyld.",
                                      "libdispatch.dylib", "libc++",     "dyld",       NULL};

  return begins_with_one_of(m, names);
}

bool
module_starts_threads(const struct module *m)
{
  static const char *const names[] = {"libsystem_pthread.", NULL};

  return begins_with_one_of(m, names);
}
