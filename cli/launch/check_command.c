#include "check_command.h"
#include "common/binary/file_capabilities.h"
#include "find_command.h"
#include "common/binary/loader_name.h"
#include "base/regular_file.h"
#include "base/message.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/xattr.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

// The interpreter named in a "#!" line, or NULL.
static char *
script_interpreter(int fd)
{
  char line[4096];
  ssize_t n = pread(fd, line, sizeof line - 1, 0);
  if (n < 3 || line[0] != '#' || line[1] != '!')
    return NULL;
  line[n] = 0;
  char *start = line + 2 + strspn(line + 2, " \t");
  start[strcspn(start, " \t\r\n")] = 0;
  return *start ? xstrdup(start) : NULL;
}

static const char *
changes_ids(int fd)
{
  struct vfs_ns_cap_data capabilities;
  struct stat st;
  struct statvfs fs;
  if (fstat(fd, &st) || (!fstatvfs(fd, &fs) && fs.f_flag & ST_NOSUID))
    return NULL;
  if (st.st_mode & S_ISUID && st.st_uid != getuid())
    return "set-user-ID";
  if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid())
    return "set-group-ID";
  ssize_t length = fgetxattr(fd, XATTR_NAME_CAPS, &capabilities, sizeof capabilities);
  if (getuid() != 0 && file_capabilities_secure(&capabilities, length))
    return "has file capabilities";
  return NULL;
}

// Class and machine as one number; 0: not an ELF file.
static unsigned
elf_kind(int fd)
{
  unsigned char head[20];
  if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head, ELFMAG, SELFMAG))
    return 0;
  unsigned low = head[18], high = head[19];
  unsigned machine = head[EI_DATA] == ELFDATA2MSB ? low << 8 | high : high << 8 | low;
  return (unsigned)head[EI_DATA] << 24 | (unsigned)head[EI_CLASS] << 16 | machine;
}

// Only for files of our own byte order. "": none. False: cannot be read.
static bool
program_interpreter(int fd, char *interpreter, size_t size)
{
  *interpreter = 0;
  Elf64_Ehdr wide;
  Elf32_Ehdr narrow;
  if (pread(fd, &wide, sizeof wide, 0) != (ssize_t)sizeof wide ||
      pread(fd, &narrow, sizeof narrow, 0) < 0)
    return false;
  bool is_wide = wide.e_ident[EI_CLASS] == ELFCLASS64;
  unsigned count = is_wide ? wide.e_phnum : narrow.e_phnum;
  for (unsigned i = 0; i < count; i++) {
    Elf64_Phdr w;
    Elf32_Phdr n;
    off_t at = is_wide ? (off_t)(wide.e_phoff + (Elf64_Off)i * sizeof w)
                       : (off_t)(narrow.e_phoff + i * sizeof n);
    if (is_wide ? pread(fd, &w, sizeof w, at) != (ssize_t)sizeof w
                : pread(fd, &n, sizeof n, at) != (ssize_t)sizeof n)
      return false;
    if ((is_wide ? w.p_type : n.p_type) != PT_INTERP)
      continue;
    ssize_t got = pread(fd, interpreter, size - 1, is_wide ? (off_t)w.p_offset : (off_t)n.p_offset);
    if (got <= 0)
      return false;
    interpreter[got] = 0;
    return true;
  }
  return true;
}

static void
check_elf(struct check *check, int fd, const char *library)
{
  unsigned kind = elf_kind(fd);
  if (!kind)
    return;
  int library_fd = open(library, O_RDONLY | O_CLOEXEC);
  unsigned library_kind = library_fd < 0 ? 0 : elf_kind(library_fd);
  if (library_fd >= 0)
    close(library_fd);
  char interpreter[4096];
  if (library_kind && kind != library_kind) {
    check->why = "built for another architecture";
    check->preload_harms = true;
    return;
  }
  if (!program_interpreter(fd, interpreter, sizeof interpreter))
    return;
  enum loader loader = loader_name(*interpreter ? interpreter : check->path);
  if (loader == LOADER_MUSL) {
    check->why = "linked with musl libc";
    check->preload_harms = true;
  } else if (!*interpreter && loader == LOADER_NONE) {
    check->why = "statically linked";
  }
  const char *ids = changes_ids(fd);
  if (!check->why && ids)
    check->why = ids;
}

struct check
check_command(const char *command, const char *library)
{
  struct check check = {.path = find_command(command)};
  for (int depth = 0; check.path; depth++) {
    int fd = open_regular(check.path);
    char *interpreter = fd < 0 || depth > 4 ? NULL : script_interpreter(fd);
    if (!interpreter) {
      if (fd >= 0)
        check_elf(&check, fd, library);
    }
    if (fd >= 0)
      close(fd);
    if (!interpreter)
      break;
    free(check.path);
    check.path = interpreter;
  }
  return check;
}
