#include "memory.h"

#include "descriptor.h"
#include "guard.h"
#include "raw_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

static long
read_proc_mem(void *to, size_t length, uint64_t address)
{
  long fd = descriptor_open("/proc/self/mem", O_RDONLY);

  if (fd < 0)
    return fd;
  long n = RAW(SYS_pread64, fd, to, length, address);
  descriptor_close(fd);
  return n;
}

size_t
memory_copy(void *to, size_t length, uint64_t address)
{
  struct iovec local = {to, length};
  struct iovec remote = {(void *)address, length};
  long n = 0;

  // The kernel copies page by page, so what lies before the first missing page arrives
  // (mm/process_vm_access.c; fs/proc/base.c for the file).
  if (!guard_filtered())
    n = RAW(SYS_process_vm_readv, RAW(SYS_getpid), &local, 1, &remote, 1, 0);
  else if (guard_allows(SYS_openat) && guard_allows(SYS_pread64))
    n = read_proc_mem(to, length, address);
  return n > 0 ? (size_t)n : 0;
}

// One system call: the pieces up to the first that is not there whole, which it ends at
// (process_vm_readv(2)). Returns how many it has dealt with, at least one.
static int
copy_some(pid_t pid, struct memory_piece *pieces, int count, unsigned char *to)
{
  enum { MOST = 32 };
  struct iovec local = {to, 0}, remote[MOST];
  int i;

  for (i = 0; i < count && i < MOST; i++) {
    remote[i] = (struct iovec){(void *)pieces[i].address, pieces[i].length};
    local.iov_len += pieces[i].length;
  }
  long n = RAW(SYS_process_vm_readv, pid, &local, 1, remote, i, 0);
  size_t left = n > 0 ? (size_t)n : 0;
  for (i = 0; i < count && i < MOST; i++) {
    size_t length = pieces[i].length;
    pieces[i].copied = left < length ? left : length;
    left -= pieces[i].copied;
    if (pieces[i].copied < length)
      return i + 1;
  }
  return i;
}

void
memory_copy_pieces(pid_t pid, struct memory_piece *pieces, int count, void *to)
{
  unsigned char *bytes = to;
  bool own = pid == (pid_t)RAW(SYS_getpid);

  for (int done = 0; done < count;) {
    int more = 1;
    if (!guard_filtered())
      more = copy_some(pid, pieces + done, count - done, bytes);
    else
      pieces[done].copied = own ? memory_copy(bytes, pieces[done].length, pieces[done].address) : 0;
    for (; more > 0; more--)
      bytes += pieces[done++].length;
  }
}

void
memory_copy_many(const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  enum { MOST = 64 };
  struct memory_piece pieces[MOST];

  for (int i = 0; i < count; i++)
    pieces[i] = (struct memory_piece){addresses[i], length, 0};
  memory_copy_pieces((pid_t)RAW(SYS_getpid), pieces, count, to);
  for (int i = 0; i < count; i++)
    there[i] = pieces[i].copied == length;
}

// The kernel copies the set before it looks at `how`, which is none (kernel/signal.c): EFAULT or
// EINVAL, and nothing changes.
static bool
readable(uint64_t address)
{
  return RAW(SYS_rt_sigprocmask, -1, address & ~7ul, 0, 8) == -EINVAL;
}

size_t
memory_copy_alone(void *to, size_t length, uint64_t address)
{
  size_t done = 0;

  while (done < length) {
    uint64_t at = address + done;
    size_t n = 4096 - (at & 4095);
    if (!readable(at))
      break;
    if (n > length - done)
      n = length - done;
    memcpy((unsigned char *)to + done, (const void *)at, n);
    done += n;
  }
  return done;
}
