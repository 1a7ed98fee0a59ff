// Files, memory and errno.
#include "libsystem_parts.h"

#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

__thread int libsystem_errno;

static int *
error_address(void)
{
  return &libsystem_errno;
}

// Numbers up to 34 are the same.
int
libsystem_error(int error)
{
  switch (error) {
  case EAGAIN: return 35;
  case ELOOP: return 62;
  case ENAMETOOLONG: return 63;
  default: return error;
  }
}

long
libsystem_result(long n)
{
  if (n < 0)
    libsystem_errno = libsystem_error(errno);
  return n;
}

static int
linux_open_flags(int flags)
{
  static const struct {
    int darwin, linux_;
  } bits[] = {{0x4, O_NONBLOCK},   {0x8, O_APPEND},         {0x100, O_NOFOLLOW},
              {0x200, O_CREAT},    {0x400, O_TRUNC},        {0x800, O_EXCL},
              {0x20000, O_NOCTTY}, {0x100000, O_DIRECTORY}, {0x1000000, O_CLOEXEC}};
  int result_flags = flags & 3, known = 3;

  for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
    known |= bits[i].darwin;
    if (flags & bits[i].darwin)
      result_flags |= bits[i].linux_;
  }
  if (flags & ~known)
    die("open() with the flags %#x", (unsigned)flags);
  return result_flags;
}

static int
open_(const char *path, int flags, int mode)
{
  return (int)libsystem_result(open(path, linux_open_flags(flags), (mode_t)mode));
}

static int
close_(int fd)
{
  return (int)libsystem_result(close(fd));
}

static long
read_(int fd, void *to, size_t size)
{
  return libsystem_result(read(fd, to, size));
}

static long
pread_(int fd, void *to, size_t size, off_t offset)
{
  return libsystem_result(pread(fd, to, size, offset));
}

static long
write_(int fd, const void *bytes, size_t size)
{
  return libsystem_result(write(fd, bytes, size));
}

static int
access_(const char *path, int how)
{
  return (int)libsystem_result(access(path, how));
}

// struct stat with 64-bit inodes (sys/stat.h).
struct darwin_stat {
  int32_t dev;
  uint16_t mode, nlink;
  uint64_t ino;
  uint32_t uid, gid;
  int32_t rdev;
  int64_t times[8];
  int64_t size, blocks;
  int32_t blksize;
  uint32_t flags, gen;
  int32_t spare;
  int64_t spares[2];
};
_Static_assert(sizeof(struct darwin_stat) == 144, "as on macOS");

static int
translate_stat(int error, const struct stat *from, struct darwin_stat *to)
{
  if (error)
    return (int)libsystem_result(error);
  *to = (struct darwin_stat){.dev = (int32_t)from->st_dev,
                             .mode = (uint16_t)from->st_mode,
                             .nlink = (uint16_t)from->st_nlink,
                             .ino = from->st_ino,
                             .uid = from->st_uid,
                             .gid = from->st_gid,
                             .size = from->st_size};
  return 0;
}

static int
fstat_(int fd, struct darwin_stat *to)
{
  struct stat st;

  return translate_stat(fstat(fd, &st), &st, to);
}

static int
stat_(const char *path, struct darwin_stat *to)
{
  struct stat st;

  return translate_stat(stat(path, &st), &st, to);
}

static void *
mmap_(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
  int kind = (flags & 0x1 ? MAP_SHARED : 0) | (flags & 0x2 ? MAP_PRIVATE : 0) |
             (flags & 0x40 ? MAP_NORESERVE : 0) | (flags & 0x1000 ? MAP_ANONYMOUS : 0);

  if (flags & ~0x1043)
    die("mmap() with the flags %#x", (unsigned)flags);
  void *memory = mmap(address, size, protection, kind, fd, offset);
  if (memory == MAP_FAILED)
    libsystem_result(-1);
  return memory;
}

static void
bzero_(void *to, size_t size)
{
  memset(to, 0, size);
}

static void *
memcpy_checked(void *to, const void *from, size_t size, size_t room)
{
  if (size > room)
    die("memcpy() past the end");
  return memcpy(to, from, size);
}

static uint64_t stack_guard = 0x1234567890abcdef;

static void
stack_check_failed(void)
{
  die("the stack was overwritten");
}

const struct libsystem_entry libsystem_files[] = {
    ENTRY("___bzero", bzero_),
    ENTRY("___error", error_address),
    ENTRY("___memcpy_chk", memcpy_checked),
    ENTRY("___stack_chk_fail", stack_check_failed),
    ENTRY("___stack_chk_guard", &stack_guard),
    ENTRY("_access", access_),
    ENTRY("_close", close_),
    ENTRY("_fstat$INODE64", fstat_),
    ENTRY("_isatty", isatty),
    ENTRY("_mmap", mmap_),
    ENTRY("_munmap", munmap),
    ENTRY("_open", open_),
    ENTRY("_pread", pread_),
    ENTRY("_read", read_),
    ENTRY("_stat$INODE64", stat_),
    ENTRY("_write", write_),
    {NULL, NULL},
};
