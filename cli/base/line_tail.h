// Reading a file of lines that may still grow, whatever a program has written there: the memory
// that it takes has a limit, and so has the time of one call.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { TAIL_MOST_LINE = 16 << 20 };  // bytes of a line; a longer one is dropped

struct tail {
  int fd;  // owned by the caller
  char *buffer;
  size_t length, size;
  size_t line;    // lines handed out so far
  bool dropping;  // in the midst of a line that is too long
};

enum tail_result { TAIL_FAILED, TAIL_ALL, TAIL_MORE };

// `line` ends with a NUL in place of its newline; valid during the call only. NULL: it was too long
// or, with `length` 0, a hole in the file, and is left out. `number` counts from 1.
typedef void tail_line(void *context, const char *line, size_t length, size_t number);

// Hands out whole lines that can be read now: TAIL_ALL all of them, TAIL_MORE some 32 MiB of them.
// TAIL_FAILED: errno says why.
enum tail_result tail_read(struct tail *tail, tail_line *handle, void *context);
// Hands out what follows the last newline, if anything, and frees the buffer.
void tail_finish(struct tail *tail, tail_line *handle, void *context);
