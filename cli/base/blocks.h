// Messages over a stream socket: a length of 4 bytes, then so many bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// How long to wait for the other end. A signal that asks us to end, pending because it is blocked,
// leaves no more than half a second.
struct patience {
  long long deadline_ns;  // CLOCK_MONOTONIC
  bool hurried, ended;    // `ended`: it was not enough
};

// False: the other end has gone, or the patience ended. NULL is patience without an end. The two
// pieces make one message.
bool block_send(int fd, struct patience *patience, const void *first, size_t first_length,
                const void *second, size_t second_length);
// The message, with a NUL behind it, that the caller frees. NULL as above, or of a message that is
// too long.
char *block_receive(int fd, struct patience *patience, size_t *length);
