#include "target.h"

#include "descriptor.h"
#include "guard.h"
#include "raw_syscall.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

static enum target
read_headers(long fd)
{
  Elf64_Ehdr header;
  Elf64_Phdr segments[32];

  if (RAW(SYS_read, fd, &header, sizeof header) != (long)sizeof header ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return TARGET_LOADS;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
    return TARGET_FOREIGN;
  size_t count = header.e_phnum < 32 ? header.e_phnum : 32;
  if (header.e_phentsize != sizeof segments[0] ||
      RAW(SYS_pread64, fd, segments, count * sizeof segments[0], header.e_phoff) !=
          (long)(count * sizeof segments[0]))
    return TARGET_LOADS;
  for (size_t i = 0; i < count; i++) {
    char loader[256] = "";
    if (segments[i].p_type != PT_INTERP)
      continue;
    RAW(SYS_pread64, fd, loader, sizeof loader - 1, segments[i].p_offset);
    return strstr(loader, "ld-musl") ? TARGET_MUSL : TARGET_LOADS;
  }
  return TARGET_STATIC;
}

enum target
target_of(const char *path)
{
  if (!path || !guard_allows(SYS_openat) || !guard_allows(SYS_read) || !guard_allows(SYS_close) ||
      !guard_allows(SYS_pread64))
    return TARGET_LOADS;
  // O_NONBLOCK: the path may be a fifo. What cannot be read, exec will judge.
  long fd = descriptor_open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0)
    return TARGET_LOADS;
  enum target target = read_headers(fd);
  descriptor_close(fd);
  return target;
}

const char *
target_why(enum target target)
{
  switch (target) {
  case TARGET_STATIC: return "statically linked";
  case TARGET_FOREIGN: return "made for another architecture";
  case TARGET_MUSL: return "linked with musl: a library made for glibc cannot be loaded";
  case TARGET_LOADS: break;
  }
  return NULL;
}
