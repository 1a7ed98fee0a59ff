#include "os/memory.h"

#include "os/descriptor.h"
#include "os/seccomp.h"
#include "raw_syscall.h"
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

static long
open_memory(const char *path)
{
  if (!guard_allows(SYS_openat) || !guard_allows(SYS_pread64))
    return -EPERM;
  return descriptor_open(path, O_RDONLY);
}

size_t
memory_copy(void *to, size_t length, uint64_t address)
{
  struct iovec local = {to, length};
  struct iovec remote = {(void *)address, length};

  // The kernel copies page by page, so what lies before the first missing page arrives
  // (mm/process_vm_access.c; fs/proc/base.c for the file).
  if (!guard_filtered()) {
    long n = RAW(SYS_process_vm_readv, RAW(SYS_getpid), &local, 1, &remote, 1, 0);
    return n > 0 ? (size_t)n : 0;
  }
  long memory = open_memory("/proc/self/mem");
  if (memory < 0)
    return 0;
  size_t n = memory_copy_from(memory, to, length, address);
  descriptor_close(memory);
  return n;
}

long
memory_open(pid_t child)
{
  char path[80];

  if (!task_can_list())
    return -ENOENT;
  task_path(path, child, 0, "mem");
  return open_memory(path);
}

size_t
memory_copy_from(long memory, void *to, size_t length, uint64_t address)
{
  long n = RAW(SYS_pread64, memory, to, length, address);

  return n > 0 ? (size_t)n : 0;
}

// One system call: what lies before the first address that is not there whole, which it ends at
// (process_vm_readv(2)). Returns how many it has dealt with, at least one.
static int
copy_some(const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  enum { MOST = 32 };
  struct iovec remote[MOST];

  if (guard_filtered()) {
    there[0] = memory_copy(to, length, addresses[0]) == length;
    return 1;
  }
  if (count > MOST)
    count = MOST;
  for (int i = 0; i < count; i++)
    remote[i] = (struct iovec){(void *)addresses[i], length};
  struct iovec local = {to, length * (size_t)count};
  long n = RAW(SYS_process_vm_readv, RAW(SYS_getpid), &local, 1, remote, count, 0);
  int whole = n > 0 ? (int)((size_t)n / length) : 0;
  for (int i = 0; i < count; i++)
    there[i] = i < whole;
  return whole < count ? whole + 1 : count;
}

void
memory_copy_many(const uint64_t *addresses, size_t length, int count, void *to, bool *there)
{
  for (int done = 0; done < count;)
    done += copy_some(addresses + done, length, count - done,
                      (unsigned char *)to + (size_t)done * length, there + done);
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
