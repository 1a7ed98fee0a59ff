#include "process/exec_target.h"

#include "os/descriptor.h"
#include "common/binary/file_capabilities.h"
#include "os/seccomp.h"
#include "common/binary/loader_name.h"
#include "process/process.h"
#include "raw_syscall.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_SCRIPTS = 4 };  // a script's interpreter may be a script (fs/exec.c)

// Of a file without a loader of its own.
static enum target
without_loader(const char *path)
{
  switch (loader_name(path)) {
  case LOADER_GLIBC: return TARGET_LOADS;
  case LOADER_MUSL: return TARGET_MUSL;
  case LOADER_NONE: break;
  }
  return TARGET_STATIC;
}

// An open file, whose beginning most often has all that is asked for.
struct head {
  long fd;
  size_t length;
  char bytes[1024];
};

static size_t
read_at(const struct head *head, void *to, size_t length, uint64_t offset)
{
  if (offset <= head->length && length <= head->length - offset) {
    memcpy(to, head->bytes + offset, length);
    return length;
  }
  long n = RAW(SYS_pread64, head->fd, to, length, offset);
  return n > 0 ? (size_t)n : 0;
}

static enum target
read_headers(const struct head *head, const char *path)
{
  Elf64_Ehdr header;
  Elf64_Phdr segments[32];

  if (read_at(head, &header, sizeof header, 0) != sizeof header ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return TARGET_LOADS;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
    return TARGET_FOREIGN;
  size_t count = header.e_phnum < 32 ? header.e_phnum : 32;
  if (header.e_phentsize != sizeof segments[0] ||
      read_at(head, segments, count * sizeof segments[0], header.e_phoff) !=
          count * sizeof segments[0])
    return TARGET_LOADS;
  for (size_t i = 0; i < count; i++) {
    char loader[256] = "";
    size_t length = segments[i].p_filesz < sizeof loader ? segments[i].p_filesz : sizeof loader - 1;
    if (segments[i].p_type != PT_INTERP)
      continue;
    read_at(head, loader, length, segments[i].p_offset);
    return loader_name(loader) == LOADER_MUSL ? TARGET_MUSL : TARGET_LOADS;
  }
  return without_loader(path);
}

// The interpreter named in a "#!" line. False: there is none.
static bool
read_interpreter(const struct head *head, char *interpreter)
{
  char line[TARGET_PATH];
  size_t n = head->length < sizeof line ? head->length : sizeof line - 1;

  if (n < 3 || head->bytes[0] != '#' || head->bytes[1] != '!')
    return false;
  memcpy(line, head->bytes, n);
  line[n] = 0;
  char *start = line + 2 + strspn(line + 2, " \t");
  start[strcspn(start, " \t\r\n")] = 0;
  snprintf(interpreter, TARGET_PATH, "%s", start);
  return *start != 0;
}

// "/proc/self/fd/N" means another file to who reads it.
static void
name_descriptor(char *program)
{
  char link[TARGET_PATH];
  long n = -1;

  if (strncmp(program, "/proc/self/fd/", 14) == 0 && guard_allows(SYS_readlink))
    n = RAW(SYS_readlink, program, link, sizeof link - 1);
  if (n > 0)
    snprintf(program, TARGET_PATH, "%.*s", (int)n, link);
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

static bool
library_is_readable(void)
{
  return process.library[0] != '/' || !guard_allows(SYS_access) ||
         RAW(SYS_access, process.library, R_OK) == 0;
}

// Whether it is a script, whose interpreter `program` gets. A bad address is the kernel's to
// refuse: the path is read once the file is open.
static bool
look_at_file(const char *path, char *program, enum target *target)
{
  // O_NONBLOCK: the path may be a fifo. What cannot be read, exec will judge.
  struct head head = {.fd = descriptor_open(path, O_RDONLY | O_NONBLOCK)};

  if (head.fd < 0)
    return false;
  long n = RAW(SYS_pread64, head.fd, head.bytes, sizeof head.bytes, 0);
  head.length = n > 0 ? (size_t)n : 0;
  if (path != program)
    snprintf(program, TARGET_PATH, "%s", path);
  bool is_script = read_interpreter(&head, program);
  if (!is_script)
    *target = read_headers(&head, program);
  descriptor_close(head.fd);
  return is_script;
}

enum target
target_of(const char *path, char *program)
{
  enum target target = TARGET_LOADS;

  program[0] = 0;
  if (!guard_allows(SYS_openat) || !guard_allows(SYS_close) || !guard_allows(SYS_pread64))
    return TARGET_LOADS;
  for (int depth = 0; depth <= MOST_SCRIPTS; depth++) {
    if (!look_at_file(depth == 0 ? path : program, program, &target))
      break;
  }
  const char *known = program[0] ? program : path;
  if (target == TARGET_LOADS)
    target = look_at_rights(known);
  if (target != TARGET_LOADS && known == path)
    snprintf(program, TARGET_PATH, "%s", path);
  if (target == TARGET_LOADS && program[0] && !library_is_readable())
    target = TARGET_UNREADABLE;
  name_descriptor(program);
  return target;
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
  case TARGET_UNREADABLE: return "cannot read the library";
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
