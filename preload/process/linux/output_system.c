#include "process/output_system.h"

#include "os/seccomp.h"
#include "raw_syscall.h"
#include "common/text/text_buffer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

bool
output_system_allows(void)
{
  return guard_allows(SYS_write) && guard_allows(SYS_newfstatat);
}

// Of a FIFO, or of an stderr that the program has made so: its reader is given a second.
static bool
wait_until_writable(int fd)
{
  struct pollfd wanted = {.fd = fd, .events = POLLOUT};

  return guard_allows(SYS_poll) && RAW(SYS_poll, &wanted, 1, 1000) == 1;
}

// Raw system calls: write() and open() of libc are cancellation points, fork() is none. SIGPIPE and
// SIGXFSZ of our writes are not the program's: they are blocked, and taken back. 0 or -errno.
static long
write_all(int fd, const char *bytes, size_t length)
{
  while (length > 0) {
    long n = RAW(SYS_write, fd, bytes, length);
    if (n == -EINTR || (n == -EAGAIN && wait_until_writable(fd)))
      continue;
    if (n <= 0)
      return n;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

long
output_system_write(int fd, const struct text *t)
{
  static const struct timespec at_once = {0, 0};
  const uint64_t ours = 1u << (SIGPIPE - 1) | 1u << (SIGXFSZ - 1);
  uint64_t old, pending;

  if (guard_filtered())
    return write_all(fd, t->bytes, t->length);
  RAW(SYS_rt_sigprocmask, SIG_BLOCK, &ours, &old, sizeof old);
  RAW(SYS_rt_sigpending, &pending, sizeof pending);
  long error = write_all(fd, t->bytes, t->length);
  uint64_t take = ours & ~pending;
  if (error < 0 && take)
    RAW(SYS_rt_sigtimedwait, &take, 0, &at_once, sizeof take);
  RAW(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof old);
  return error;
}

bool
output_system_is_terminal(int fd)
{
  struct termios terminal;

  return guard_allows(SYS_ioctl) && RAW(SYS_ioctl, fd, TCGETS, &terminal) == 0;
}

bool
output_system_gone(pid_t pid)
{
  return guard_allows(SYS_kill) && RAW(SYS_kill, pid, 0) == -ESRCH;
}
