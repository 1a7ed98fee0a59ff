#include "modules.h"

#include "process.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

struct call {
  void (*work)(const struct modules *modules, void *argument);
  void *argument;
  struct modules *modules;
};

static void
find_build_id(struct module *m, const ElfW(Phdr) * header)
{
  const unsigned char *p = (const unsigned char *)(m->base + header->p_vaddr);
  const unsigned char *end = p + header->p_memsz;

  while (p + sizeof(ElfW(Nhdr)) <= end) {
    const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)p;
    const unsigned char *name = p + sizeof *note;
    const unsigned char *description = name + ((note->n_namesz + 3) & ~3u);
    if (description + note->n_descsz > end)
      return;
    if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
      m->build_id = description;
      m->build_id_length = note->n_descsz;
      return;
    }
    p = description + ((note->n_descsz + 3) & ~3u);
  }
}

static int
add_module(struct dl_phdr_info *info, size_t size, void *argument)
{
  struct modules *modules = argument;

  (void)size;
  if (modules->count == MODULES)
    return 1;
  struct module *m = &modules->at[modules->count];
  memset(m, 0, sizeof *m);
  m->base = info->dlpi_addr;
  m->low = UINT64_MAX;
  // The loader gives the program itself no name.
  m->path = info->dlpi_name[0] ? info->dlpi_name : process.exe;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type == PT_LOAD) {
      uint64_t low = m->base + header->p_vaddr, high = low + header->p_memsz;
      m->low = low < m->low ? low : m->low;
      m->high = high > m->high ? high : m->high;
      if ((header->p_flags & PF_R) && m->segment_count < SEGMENTS) {
        m->segments[m->segment_count].low = low;
        m->segments[m->segment_count].high = high;
        m->segment_count++;
      }
    } else if (header->p_type == PT_NOTE && m->build_id_length == 0) {
      find_build_id(m, header);
    }
  }
  if (m->high)
    modules->count++;
  return 0;
}

static int
locked(struct dl_phdr_info *info, size_t size, void *argument)
{
  struct call *call = argument;

  (void)info;
  (void)size;
  dl_iterate_phdr(add_module, call->modules);  // the lock is recursive
  call->work(call->modules, call->argument);
  return 1;
}

void
modules_with(void (*work)(const struct modules *modules, void *argument), void *argument)
{
  struct call call = {work, argument, NULL};
  void *memory = mmap(NULL, sizeof(struct modules), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return;
  call.modules = memory;
  dl_iterate_phdr(locked, &call);
  munmap(memory, sizeof(struct modules));
}

const struct module *
modules_find(const struct modules *modules, uint64_t address)
{
  for (int i = 0; i < modules->count; i++) {
    if (address >= modules->at[i].low && address < modules->at[i].high)
      return &modules->at[i];
  }
  return NULL;
}

bool
modules_readable(const struct modules *modules, uint64_t address, size_t length)
{
  const struct module *m = modules_find(modules, address);

  for (int i = 0; m && i < m->segment_count; i++) {
    if (address >= m->segments[i].low && address + length <= m->segments[i].high)
      return true;
  }
  return false;
}

const char *
module_name(const struct module *m)
{
  const char *slash = strrchr(m->path, '/');

  return slash ? slash + 1 : m->path;
}
