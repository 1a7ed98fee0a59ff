#include "blocks.h"
#include "clock.h"
#include "message.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { MOST_BYTES = 64 << 20 };

static const long long HURRY_NS = 500000000, SLICE_NS = 100000000;

static bool
is_asked_to_end(void)
{
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  sigset_t pending;
  bool asked = false;
  sigpending(&pending);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    asked |= sigismember(&pending, signals[i]) == 1;
  return asked;
}

// Milliseconds for poll(), in slices, as a pending signal does not end it. -1: for ever.
static int
next_slice(struct patience *patience)
{
  if (!patience)
    return -1;
  long long now = clock_ns(CLOCK_MONOTONIC);
  if (!patience->hurried && is_asked_to_end()) {
    patience->hurried = true;
    if (patience->deadline_ns > now + HURRY_NS)
      patience->deadline_ns = now + HURRY_NS;
  }
  long long left = patience->deadline_ns - now;
  left = left < SLICE_NS ? left : SLICE_NS;
  return left > 0 ? (int)(left / 1000000 + 1) : 0;
}

static bool
await(int fd, short what, struct patience *patience)
{
  struct pollfd wait = {.fd = fd, .events = what};
  for (;;) {
    int slice = next_slice(patience);
    int ready = poll(&wait, 1, slice);
    if (ready > 0)
      return true;
    if (ready < 0 && errno != EINTR)
      return false;
    if (!ready && !slice) {
      patience->ended = true;
      return false;
    }
  }
}

// Sends, or receives, all of it.
static bool
move(int fd, struct patience *patience, void *bytes, size_t length, bool sends)
{
  char *at = bytes;
  while (length) {
    ssize_t n = sends ? send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                      : recv(fd, at, length, MSG_DONTWAIT);
    if (n > 0) {
      at += n;
      length -= (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
               !await(fd, sends ? POLLOUT : POLLIN, patience)) {
      return false;
    }
  }
  return true;
}

bool
block_send(int fd, struct patience *patience, const void *first, size_t first_length,
           const void *second, size_t second_length)
{
  uint32_t length = (uint32_t)(first_length + second_length);
  if (first_length > MOST_BYTES || second_length > MOST_BYTES - first_length)
    return false;
  return move(fd, patience, &length, sizeof length, true) &&
         move(fd, patience, (void *)(uintptr_t)first, first_length, true) &&
         move(fd, patience, (void *)(uintptr_t)second, second_length, true);
}

char *
block_receive(int fd, struct patience *patience, size_t *length)
{
  uint32_t announced;
  if (!move(fd, patience, &announced, sizeof announced, false) || announced > MOST_BYTES)
    return NULL;
  char *bytes = xrealloc(NULL, (size_t)announced + 1);
  if (!move(fd, patience, bytes, announced, false)) {
    free(bytes);
    return NULL;
  }
  bytes[announced] = 0;
  *length = announced;
  return bytes;
}
