#include "elf_section.h"

#include <elf.h>
#include <string.h>

enum { MOST_SEGMENTS = 64, MOST_SECTIONS = 256, MOST_NAMES = 2048 };

static bool
read_at(const struct pages_source *file, uint64_t offset, void *to, size_t length)
{
  bool there = false;

  file->read(file->context, &offset, length, 1, to, &there);
  return there;
}

static bool
first_address(const struct pages_source *file, const Elf64_Ehdr *header, uint64_t *address)
{
  Elf64_Phdr segment;

  for (uint64_t i = 0; i < header->e_phnum && i < MOST_SEGMENTS; i++) {
    if (!read_at(file, header->e_phoff + i * sizeof segment, &segment, sizeof segment))
      return false;
    if (segment.p_type == PT_LOAD) {
      *address = segment.p_vaddr & ~(PAGE_BYTES - 1ul);
      return true;
    }
  }
  return false;
}

// The name must be among the first bytes of the names.
static bool
find_section(const struct pages_source *file, const Elf64_Ehdr *header, const char *name,
             Elf64_Shdr *section)
{
  char names[MOST_NAMES];
  size_t length = strlen(name) + 1;

  if (!read_at(file, header->e_shoff + header->e_shstrndx * sizeof *section, section,
               sizeof *section))
    return false;
  size_t size = section->sh_size < sizeof names ? section->sh_size : sizeof names;
  if (!read_at(file, section->sh_offset, names, size))
    return false;
  for (uint64_t i = 0; i < header->e_shnum && i < MOST_SECTIONS; i++) {
    if (!read_at(file, header->e_shoff + i * sizeof *section, section, sizeof *section))
      return false;
    if (section->sh_name < size && length <= size - section->sh_name &&
        memcmp(names + section->sh_name, name, length) == 0)
      return true;
  }
  return false;
}

uint64_t
elf_section(const struct pages_source *file, const char *name)
{
  Elf64_Ehdr header;
  Elf64_Shdr section;
  uint64_t first;

  if (!read_at(file, 0, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_shentsize != sizeof section || !first_address(file, &header, &first) ||
      !find_section(file, &header, name, &section))
    return 0;
  return section.sh_addr > first ? section.sh_addr - first : 0;
}
