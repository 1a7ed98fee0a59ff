#include "target.h"

#include "descriptor.h"
#include "file_capabilities.h"
#include "guard.h"
#include "raw_syscall.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

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

static bool
mounted_nosuid(const char *path)
{
  struct statfs fs;

  return RAW(SYS_statfs, path, &fs) == 0 && (fs.f_flags & ST_NOSUID) != 0;
}

static bool
has_capabilities(const char *path)
{
  struct vfs_ns_cap_data capabilities;

  return getuid() != 0 && guard_allows(SYS_getxattr) &&
         file_capabilities_secure(&capabilities, RAW(SYS_getxattr, path, XATTR_NAME_CAPS,
                                                     &capabilities, sizeof capabilities));
}

// AT_SECURE is set for other ids than the real ones (security/commoncap.c), unless the file system
// or the process refuses them (fs/exec.c, bprm_fill_uid).
static enum target
look_at_rights(const char *path)
{
  enum target target = TARGET_LOADS;
  struct stat st;

  if (!guard_allows(SYS_newfstatat) || !guard_allows(SYS_statfs) || !guard_allows(SYS_prctl) ||
      RAW(SYS_newfstatat, AT_FDCWD, path, &st, 0) != 0 || !S_ISREG(st.st_mode))
    return TARGET_LOADS;
  if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
    target = TARGET_SETUID;
  else if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 && st.st_gid != getgid())
    target = TARGET_SETGID;
  if (target != TARGET_LOADS && RAW(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    target = TARGET_LOADS;
  if (target == TARGET_LOADS && has_capabilities(path))
    target = TARGET_CAPABLE;
  return target != TARGET_LOADS && mounted_nosuid(path) ? TARGET_LOADS : target;
}

enum target
target_of(const char *path)
{
  if (!path || !guard_allows(SYS_openat) || !guard_allows(SYS_read) || !guard_allows(SYS_close) ||
      !guard_allows(SYS_pread64))
    return TARGET_LOADS;
  // O_NONBLOCK: the path may be a fifo. What cannot be read, exec will judge.
  long fd = descriptor_open(path, O_RDONLY | O_NONBLOCK);
  enum target target = TARGET_LOADS;
  if (fd >= 0) {
    target = read_headers(fd);
    descriptor_close(fd);
  }
  return target == TARGET_LOADS ? look_at_rights(path) : target;
}

const char *
target_why(enum target target)
{
  switch (target) {
  case TARGET_STATIC: return "statically linked";
  case TARGET_SETUID: return "set-user-ID";
  case TARGET_SETGID: return "set-group-ID";
  case TARGET_CAPABLE: return "has file capabilities";
  case TARGET_FOREIGN: return "built for another architecture";
  case TARGET_MUSL: return "linked with musl libc";
  case TARGET_LOADS:
  case TARGET_SYSTEM:
  case TARGET_HARDENED:
  case TARGET_RESTRICTED:
  case TARGET_ARM64E: break;
  }
  return NULL;
}

bool
target_refuses(enum target target)
{
  return target == TARGET_MUSL;
}

bool
target_may_refuse(void)
{
  return access("/lib/ld-musl-x86_64.so.1", F_OK) == 0;
}
