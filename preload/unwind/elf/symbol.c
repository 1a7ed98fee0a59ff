#include "unwind/symbol.h"

#include "os/descriptor.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { FILES = 32 };

struct file {
  char path[256];
  const unsigned char *bytes;  // NULL: not readable
  size_t size;
};

static struct file files[FILES];
static int file_count;

static void
map(struct file *f, const char *path)
{
  struct stat st;

  memset(f, 0, sizeof *f);
  snprintf(f->path, sizeof f->path, "%s", path);
  int fd = (int)descriptor_open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0)
    return;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t)sizeof(Elf64_Ehdr)) {
    void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory != MAP_FAILED) {
      f->bytes = memory;
      f->size = (size_t)st.st_size;
    }
  }
  descriptor_close(fd);
}

static const struct file *
find_file(const char *path)
{
  for (int i = 0; i < file_count; i++) {
    if (strncmp(files[i].path, path, sizeof files[i].path - 1) == 0)
      return &files[i];
  }
  if (file_count == FILES)
    symbol_done();
  map(&files[file_count], path);
  return &files[file_count++];
}

// The section's content if it lies whole in the file.
static const void *
section_bytes(const struct file *f, const Elf64_Shdr *s)
{
  if (s->sh_type == SHT_NOBITS || s->sh_offset > f->size || s->sh_size > f->size - s->sh_offset)
    return NULL;
  return f->bytes + s->sh_offset;
}

static bool
search(const struct file *f, const Elf64_Shdr *table, const Elf64_Shdr *strings, bool data,
       uint64_t offset, char *name, size_t size)
{
  const Elf64_Sym *symbols = section_bytes(f, table);
  const char *text = section_bytes(f, strings);
  const Elf64_Sym *best = NULL;

  if (!symbols || !text || strings->sh_size == 0 || text[strings->sh_size - 1])
    return false;
  for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
    const Elf64_Sym *s = &symbols[i];
    int type = ELF64_ST_TYPE(s->st_info);
    bool wanted = data ? type == STT_OBJECT : type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!wanted || s->st_shndx == SHN_UNDEF || offset < s->st_value ||
        offset - s->st_value >= (s->st_size ? s->st_size : 1))
      continue;
    // Of aliases the global one: that is the name people know.
    if (!best || ELF64_ST_BIND(s->st_info) == STB_GLOBAL)
      best = s;
  }
  if (!best || best->st_name >= strings->sh_size)
    return false;
  snprintf(name, size, "%s", text + best->st_name);
  return true;
}

// The table of sections, or NULL where the file has none.
static const Elf64_Shdr *
find_sections(const struct file *f, int *count)
{
  const Elf64_Ehdr *header = (const void *)f->bytes;

  if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr) ||
      header->e_shoff % 8 != 0 || header->e_shoff > f->size ||
      header->e_shnum > (f->size - header->e_shoff) / sizeof(Elf64_Shdr))
    return NULL;
  *count = header->e_shnum;
  return (const void *)(f->bytes + header->e_shoff);
}

static bool
find(const char *path, bool data, uint64_t offset, char *name, size_t size)
{
  const struct file *f = find_file(path);
  int count = 0;
  const Elf64_Shdr *sections = find_sections(f, &count);
  const unsigned int wanted[] = {SHT_SYMTAB, SHT_DYNSYM};
  for (int w = 0; w < 2; w++) {
    for (int i = 0; i < count; i++) {
      if (sections[i].sh_type == wanted[w] && sections[i].sh_link < (unsigned int)count &&
          search(f, &sections[i], &sections[sections[i].sh_link], data, offset, name, size))
        return true;
    }
  }
  return false;
}

bool
symbol_find(const char *path, uint64_t offset, char *name, size_t size)
{
  return find(path, false, offset, name, size);
}

bool
symbol_find_data(const char *path, uint64_t offset, char *name, size_t size)
{
  return find(path, true, offset, name, size);
}

bool
symbol_has_section(const char *path, const char *name)
{
  const struct file *f = find_file(path);
  int count = 0;
  const Elf64_Shdr *sections = find_sections(f, &count);
  int strings = count > 0 ? ((const Elf64_Ehdr *)(const void *)f->bytes)->e_shstrndx : 0;

  if (strings >= count)
    return false;
  const char *names = section_bytes(f, &sections[strings]);
  size_t size = sections[strings].sh_size;
  if (!names || size == 0 || names[size - 1])
    return false;
  for (int i = 0; i < count; i++) {
    if (sections[i].sh_name < size && strcmp(names + sections[i].sh_name, name) == 0)
      return true;
  }
  return false;
}

void
symbol_done(void)
{
  for (int i = 0; i < file_count; i++) {
    if (files[i].bytes)
      munmap((void *)(uintptr_t)files[i].bytes, files[i].size);
  }
  file_count = 0;
}

bool
symbol_of_event(const char *path, uint64_t offset, char *name, size_t size)
{
  (void)path;
  (void)offset;
  (void)name;
  (void)size;
  return false;
}
