#include "tail.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
hand_out(struct tail *tail, size_t from, tail_line *handle, void *context)
{
  size_t start = 0;
  char *newline;
  while ((newline = memchr(tail->buffer + from, '\n', tail->length - from))) {
    *newline = 0;
    handle(context, tail->buffer + start, (size_t)(newline - tail->buffer) - start, ++tail->line);
    start = from = (size_t)(newline - tail->buffer) + 1;
  }
  memmove(tail->buffer, tail->buffer + start, tail->length - start);
  tail->length -= start;
}

bool
tail_read(struct tail *tail, tail_line *handle, void *context)
{
  for (;;) {
    if (tail->size - tail->length < 65536) {
      tail->size = tail->size * 2 + 131072;
      tail->buffer = xrealloc(tail->buffer, tail->size);
    }
    ssize_t n = read(tail->fd, tail->buffer + tail->length, tail->size - tail->length - 1);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0;
    size_t from = tail->length;
    tail->length += (size_t)n;
    hand_out(tail, from, handle, context);
  }
}

void
tail_finish(struct tail *tail, tail_line *handle, void *context)
{
  if (tail->length) {
    tail->buffer[tail->length] = 0;
    handle(context, tail->buffer, tail->length, ++tail->line);
  }
  free(tail->buffer);
  tail->buffer = NULL;
  tail->length = tail->size = 0;
}
