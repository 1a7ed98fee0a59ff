// Reading a file of lines that may still grow.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tail {
  int fd;  // owned by the caller
  char *buffer;
  size_t length, size;
  size_t line;  // lines handed out so far
};

// `line` ends with a NUL in place of its newline; valid during the call only. `number` counts
// from 1.
typedef void tail_line(void *context, const char *line, size_t length, size_t number);

// Hands out every whole line that can be read now. False: reading failed (errno).
bool tail_read(struct tail *tail, tail_line *handle, void *context);
// Hands out what follows the last newline, if anything, and frees the buffer.
void tail_finish(struct tail *tail, tail_line *handle, void *context);
