#include "os/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

// System calls of the kernel's own have no stable numbers here: libc is called, with cancellation
// off, which open() and read() would act upon.
long
kernel_open(const char *path, int flags)
{
  int saved = errno, state;

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  int fd = open(path, flags, 0644);
  long result = fd < 0 ? -errno : fd;
  pthread_setcancelstate(state, NULL);
  errno = saved;
  return result;
}

long
kernel_read(long fd, void *to, size_t length)
{
  int saved = errno, state;

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  long n = read((int)fd, to, length);
  if (n < 0)
    n = -errno;
  pthread_setcancelstate(state, NULL);
  errno = saved;
  return n;
}

void
kernel_close(long fd)
{
  int saved = errno, state;

  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  close((int)fd);
  pthread_setcancelstate(state, NULL);
  errno = saved;
}

uint64_t
kernel_clock(void)
{
  return clock_gettime_nsec_np(CLOCK_MONOTONIC);
}

void
kernel_yield(void)
{
  sched_yield();
}

// libc has no such function. Those that a file, an exec or a fork gives.
const char *
kernel_error_name(int error)
{
  static const struct {
    int error;
    const char *name;
  } names[] = {{E2BIG, "E2BIG"},       {EACCES, "EACCES"},     {EAGAIN, "EAGAIN"},
               {EBADARCH, "EBADARCH"}, {EBADEXEC, "EBADEXEC"}, {EBADMACHO, "EBADMACHO"},
               {EDQUOT, "EDQUOT"},     {EFAULT, "EFAULT"},     {EFBIG, "EFBIG"},
               {EINVAL, "EINVAL"},     {EIO, "EIO"},           {EISDIR, "EISDIR"},
               {ELOOP, "ELOOP"},       {EMFILE, "EMFILE"},     {ENAMETOOLONG, "ENAMETOOLONG"},
               {ENFILE, "ENFILE"},     {ENOENT, "ENOENT"},     {ENOEXEC, "ENOEXEC"},
               {ENOMEM, "ENOMEM"},     {ENOSPC, "ENOSPC"},     {ENOTDIR, "ENOTDIR"},
               {EPERM, "EPERM"},       {EPIPE, "EPIPE"},       {EROFS, "EROFS"},
               {ETXTBSY, "ETXTBSY"}};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].error == error)
      return names[i].name;
  }
  return "an error";
}
