#include "unwind/modules.h"

#include "os/map.h"
#include "os/descriptor.h"
#include "os/memory.h"
#include "raw_syscall.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAPS_BYTES = 4 << 20, SEGMENTS = 32 };

// The first page of a file has, almost always, all that is wanted of it.
struct first_page {
  uint64_t address;
  size_t length;
  unsigned char bytes[4096];
};

static size_t
copy(const struct first_page *page, void *to, size_t length, uint64_t address)
{
  if (address < page->address || address - page->address + length > page->length)
    return memory_copy(to, length, address);
  memcpy(to, page->bytes + (address - page->address), length);
  return length;
}

static void
find_build_id(struct module *m, const struct first_page *page, uint64_t address, size_t size)
{
  unsigned char bytes[256];
  Elf64_Nhdr note;

  size = copy(page, bytes, size < sizeof bytes ? size : sizeof bytes, address);
  for (size_t at = 0; at + sizeof note <= size;) {
    memcpy(&note, bytes + at, sizeof note);
    size_t name = at + sizeof note;
    size_t description = name + ((note.n_namesz + 3u) & ~3u);
    if (description > size || note.n_descsz > size - description)
      return;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        memcmp(bytes + name, "GNU", 4) == 0 && note.n_descsz <= BUILD_ID) {
      m->build_id_length = note.n_descsz;
      memcpy(m->build_id, bytes + description, note.n_descsz);
      return;
    }
    at = description + ((note.n_descsz + 3u) & ~3u);
  }
}

// Fills *m from the ELF header mapped at `start`; false where there is none.
static bool
read_headers(struct module *m, struct first_page *page, uint64_t start)
{
  Elf64_Ehdr header = {.e_phnum = 0};
  Elf64_Phdr segments[SEGMENTS] = {{.p_type = PT_NULL}};

  page->address = start;
  page->length = memory_copy(page->bytes, sizeof page->bytes, start);
  if (copy(page, &header, sizeof header, start) != sizeof header ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof segments[0])
    return false;
  size_t count = header.e_phnum < SEGMENTS ? header.e_phnum : SEGMENTS;
  if (copy(page, segments, count * sizeof segments[0], start + header.e_phoff) !=
      count * sizeof segments[0])
    return false;
  bool based = false;
  for (size_t i = 0; i < count; i++) {
    if (segments[i].p_type == PT_LOAD && !based) {
      m->base = start - (segments[i].p_vaddr & ~4095ul);
      based = true;
    }
  }
  m->low = UINT64_MAX;
  for (size_t i = 0; i < count; i++) {
    const Elf64_Phdr *s = &segments[i];
    uint64_t low = m->base + s->p_vaddr;
    if (s->p_type == PT_LOAD) {
      m->low = low < m->low ? low : m->low;
      m->high = low + s->p_memsz > m->high ? low + s->p_memsz : m->high;
    } else if (s->p_type == PT_GNU_EH_FRAME) {
      m->eh_frame_hdr = low;
    } else if (s->p_type == PT_NOTE && m->build_id_length == 0) {
      find_build_id(m, page, low, s->p_memsz);
    }
  }
  return based;
}

// One line of maps (proc(5)), which is cut at its end; the path stays where it is. A file mapped
// from its start with an ELF header is a module once a part of it is mapped executable.
static void
read_line(struct modules *modules, char *line, struct module *candidate, struct first_page *page)
{
  char *rest;
  uint64_t start = strtoull(line, &rest, 16);
  strtoull(rest + 1, &rest, 16);
  const char *permissions = rest + 1;
  uint64_t offset = strtoull(permissions + 5, &rest, 16);
  char *path = strpbrk(rest, "/[");

  if (!path || (path[0] == '[' && strcmp(path, "[vdso]") != 0))
    return;
  if (offset == 0) {
    memset(candidate, 0, sizeof *candidate);
    if (permissions[0] == 'r' && read_headers(candidate, page, start))
      candidate->path = path;
  }
  if (permissions[2] == 'x' && candidate->path && strcmp(candidate->path, path) == 0 &&
      start >= candidate->low && start < candidate->high && modules->count < MODULES) {
    modules->at[modules->count++] = *candidate;
    candidate->path = NULL;
  }
}

static size_t
read_maps(char *text, size_t size)
{
  size_t length = 0;
  long n, fd = descriptor_open("/proc/self/maps", O_RDONLY);

  if (fd < 0)
    return 0;
  while ((n = RAW(SYS_read, fd, text + length, size - 1 - length)) > 0)
    length += (size_t)n;
  descriptor_close(fd);
  text[length] = 0;
  return length;
}

struct modules *
modules_read(void)
{
  size_t mapped = sizeof(struct modules) + sizeof(struct first_page) + MAPS_BYTES;
  struct modules *modules = memory_map(mapped);

  if (!modules)
    return NULL;
  struct module candidate = {.path = NULL};
  struct first_page *page = (struct first_page *)(modules + 1);
  char *text = (char *)(page + 1);
  modules->mapped = mapped;
  read_maps(text, MAPS_BYTES);
  for (char *line = text; *line;) {
    char *end = strchr(line, '\n');
    if (!end)
      break;
    *end = 0;
    read_line(modules, line, &candidate, page);
    line = end + 1;
  }
  return modules;
}

static bool
begins(const struct module *m, const char *name)
{
  return strncmp(module_name(m), name, strlen(name)) == 0;
}

bool
module_is_own(const struct module *m)
{
  return begins(m, "libforkhound.so");
}

bool
module_is_runtime(const struct module *m)
{
  static const char *const names[] = {
      "libforkhound.so",    "libc.so",    "libpthread.so", "libstdc++.so",
      "ld-linux-x86-64.so", "libtsan.so", "libasan.so"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (begins(m, names[i]))
      return true;
  }
  return false;
}

bool
module_starts_threads(const struct module *m)
{
  return begins(m, "libc.so");
}
