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

void
memory_copy_many(const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  enum { MOST = 64 };
  struct iovec remote[MOST];
  unsigned char *bytes = to;
  int done = 0;

  for (int i = 0; i < count && i < MOST; i++)
    remote[i] = (struct iovec){(void *)addresses[i], length};
  while (done < count) {
    // It ends at the first that is not there whole (process_vm_readv(2)).
    struct iovec local = {bytes + (size_t)done * length, (size_t)(count - done) * length};
    long n = guard_filtered() ? (long)memory_copy(local.iov_base, length, addresses[done])
                              : RAW(SYS_process_vm_readv, RAW(SYS_getpid), &local, 1, remote + done,
                                    count - done, 0);
    int whole = n > 0 ? (int)((size_t)n / length) : 0;
    for (int i = 0; i < whole; i++)
      there[done++] = true;
    if (whole == 0)
      there[done++] = false;
  }
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
