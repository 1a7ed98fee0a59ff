#include "long_jump.h"
#include "procfs.h"
#include "text.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// All of them lead to one place of libc (<setjmp.h>; the last with _FORTIFY_SOURCE).
static bool
is_long_jump(const char *name)
{
  static const char *const names[] = {"longjmp", "_longjmp", "siglongjmp", "__longjmp_chk"};
  for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
    if (!strcmp(name, names[i]))
      return true;
  return false;
}

static bool
table_has_import(Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
  Elf_Data *data = elf_getdata(section, NULL);
  size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
  GElf_Sym symbol;
  for (size_t i = 0; i < count && gelf_getsym(data, (int)i, &symbol); i++)
    if (symbol.st_shndx == SHN_UNDEF &&
        is_long_jump(elf_strptr(elf, header->sh_link, symbol.st_name)))
      return true;
  return false;
}

// A module without a dynamic symbol table has libc in itself: it may.
static bool
imports_long_jump(Elf *elf)
{
  Elf_Scn *section = NULL;
  GElf_Shdr header;
  while ((section = elf_nextscn(elf, section)))
    if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
      return table_has_import(elf, section, &header);
  return true;
}

static bool
module_calls(pid_t pid, const char *path)
{
  char *name = xasprintf("/proc/%d/root%s", (int)pid, path);
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  free(name);
  Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
  bool calls = !elf || elf_kind(elf) != ELF_K_ELF || imports_long_jump(elf);
  elf_end(elf);
  if (fd >= 0)
    close(fd);
  return calls;
}

static bool
is_left_out(const char *path)
{
  static const char *const names[] = {"libc.so", "libpthread.so", "ld-linux", "libforkhound.so"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(base_name(path), names[i], strlen(names[i])))
      return true;
  return false;
}

// A line of maps (proc(5)) of executable memory: the path of its file, else NULL.
static char *
module_path(char *line)
{
  char *permissions = strchr(line, ' ');
  char *path = strchr(line, '/');
  return permissions && path && permissions[3] == 'x' && !is_left_out(path) ? path : NULL;
}

bool
calls_long_jump(pid_t pid)
{
  char *maps = procfs_read(pid, 0, "maps"), *rest = NULL;
  bool calls = !maps;
  elf_version(EV_CURRENT);
  for (char *line = maps ? strtok_r(maps, "\n", &rest) : NULL; line && !calls;
       line = strtok_r(NULL, "\n", &rest)) {
    const char *path = module_path(line);
    calls = path && module_calls(pid, path);
  }
  free(maps);
  return calls;
}
