#include "process/output_system.h"

#include "common/text/text_buffer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

bool
output_system_allows(void)
{
  return true;
}

static long
write_all(int fd, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? -errno : 0;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

// SIGPIPE and SIGXFSZ of our writes are not the program's: they are blocked, and taken back.
// write() is a cancellation point, fork() is none.
long
output_system_write(int fd, const struct text *t)
{
  sigset_t ours, old, before, after;
  int saved = errno, state, number;

  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  sigaddset(&ours, SIGXFSZ);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  pthread_sigmask(SIG_BLOCK, &ours, &old);
  sigpending(&before);
  long error = write_all(fd, t->bytes, t->length);
  sigpending(&after);
  if (error < 0 && !sigismember(&before, SIGPIPE) && !sigismember(&before, SIGXFSZ) &&
      (sigismember(&after, SIGPIPE) || sigismember(&after, SIGXFSZ)))
    sigwait(&ours, &number);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_setcancelstate(state, NULL);
  errno = saved;
  return error;
}

bool
output_system_is_terminal(int fd)
{
  int saved = errno;
  bool terminal = isatty(fd) != 0;

  errno = saved;
  return terminal;
}

bool
output_system_gone(pid_t pid)
{
  int saved = errno;
  bool gone = kill(pid, 0) != 0 && errno == ESRCH;

  errno = saved;
  return gone;
}
