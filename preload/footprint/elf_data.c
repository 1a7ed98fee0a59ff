#include "elf_data.h"

#include <elf.h>
#include <string.h>

extern const Elf64_Ehdr own_header __asm__("__ehdr_start") __attribute__((visibility("hidden")));

// The header in memory: at the start of the first mapping of the file that begins with it.
static const Elf64_Ehdr *
find_header(const struct mappings *m, uint64_t address, const char *path)
{
  const Elf64_Ehdr *header = NULL;

  for (int i = 0; i < m->count && m->at[i].start <= address; i++) {
    const struct mapping *at = &m->at[i];
    if (at->start == at->base && at->readable && strcmp(at->name, path) == 0 &&
        memcmp((const void *)at->start, ELFMAG, SELFMAG) == 0)
      header = (const void *)at->start;
  }
  return header;
}

static const Elf64_Phdr *
find_segment(const Elf64_Ehdr *header, unsigned int type)
{
  const Elf64_Phdr *segments = (const void *)((const char *)header + header->e_phoff);

  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == type)
      return &segments[i];
  }
  return NULL;
}

static uint64_t
bias_of(const Elf64_Ehdr *header)
{
  const Elf64_Phdr *first = find_segment(header, PT_LOAD);

  return (uint64_t)(uintptr_t)header - (first ? first->p_vaddr & ~4095ul : 0);
}

uint64_t
elf_data_end(const struct mappings *m, uint64_t address, const char *path)
{
  const Elf64_Ehdr *header = find_header(m, address, path);
  const Elf64_Phdr *segments;
  uint64_t end = 0;

  if (!header)
    return 0;
  segments = (const void *)((const char *)header + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++) {
    uint64_t high = bias_of(header) + segments[i].p_vaddr + segments[i].p_memsz;
    if (segments[i].p_type == PT_LOAD && high > end)
      end = high;
  }
  return (end + 4095) & ~4095ul;
}

bool
elf_data_is_own(uint64_t address)
{
  const Elf64_Phdr *segments = (const void *)((const char *)&own_header + own_header.e_phoff);

  for (int i = 0; i < own_header.e_phnum; i++) {
    uint64_t start = (bias_of(&own_header) + segments[i].p_vaddr) & ~4095ul;
    uint64_t end =
        (bias_of(&own_header) + segments[i].p_vaddr + segments[i].p_memsz + 4095) & ~4095ul;
    if (segments[i].p_type == PT_LOAD && address >= start && address < end)
      return true;
  }
  return false;
}

bool
elf_data_is_libc(const char *path)
{
  const char *slash = strrchr(path, '/');

  return slash && strcmp(slash, "/libc.so.6") == 0;
}

bool
elf_data_is_loader(const char *path)
{
  const char *slash = strrchr(path, '/');

  return slash && strncmp(slash, "/ld-linux-", 10) == 0;
}

bool
elf_data_is_got(const struct mappings *m, uint64_t address, const char *path)
{
  enum { RESERVED = 3 };  // words in front, for the loader (x86-64 psABI 5.2)
  const Elf64_Ehdr *header = find_header(m, address, path);
  const Elf64_Phdr *dynamic = header ? find_segment(header, PT_DYNAMIC) : NULL;
  uint64_t got = 0, size = 0;

  if (!dynamic)
    return false;
  // The loader has made the addresses absolute there.
  for (const Elf64_Dyn *d = (const void *)(bias_of(header) + dynamic->p_vaddr); d->d_tag != DT_NULL;
       d++) {
    if (d->d_tag == DT_PLTGOT)
      got = d->d_un.d_ptr;
    else if (d->d_tag == DT_PLTRELSZ)
      size = d->d_un.d_val / sizeof(Elf64_Rela) * sizeof(uint64_t);
  }
  return got && address >= got + RESERVED * sizeof(uint64_t) &&
         address < got + RESERVED * sizeof(uint64_t) + size;
}

uint64_t
elf_data_offset(const struct mappings *m, uint64_t address, const char *path)
{
  const Elf64_Ehdr *header = find_header(m, address, path);

  return header ? address - bias_of(header) : address;
}
