#include "line_tail.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536, PIECES = 512, KEPT = 1 << 20 };

static void
hand_out_line(struct tail *tail, size_t start, size_t end, tail_line *handle, void *context)
{
  while (start < end && !tail->buffer[start])  // the end of a hole
    start++;
  tail->buffer[end] = 0;
  if (tail->dropping)
    handle(context, NULL, TAIL_MOST_LINE, ++tail->line);
  else
    handle(context, tail->buffer + start, end - start, ++tail->line);
  tail->dropping = false;
}

static void
hand_out(struct tail *tail, size_t from, tail_line *handle, void *context)
{
  size_t start = 0;
  char *newline;
  while ((newline = memchr(tail->buffer + from, '\n', tail->length - from))) {
    size_t end = (size_t)(newline - tail->buffer);
    hand_out_line(tail, start, end, handle, context);
    start = from = end + 1;
  }
  memmove(tail->buffer, tail->buffer + start, tail->length - start);
  tail->length -= start;
  tail->dropping |= tail->length > TAIL_MOST_LINE;
  if (tail->dropping)
    tail->length = 0;
}

static void
make_room(struct tail *tail)
{
  size_t wanted = tail->length + PIECE + 1;
  if (wanted > tail->size)
    wanted = wanted * 2;
  else if (tail->size <= KEPT || wanted * 4 > tail->size)
    return;
  tail->size = wanted;
  tail->buffer = xrealloc(tail->buffer, wanted);
}

// A program can make the file as long as it likes by a hole, whose end may be far.
static bool
skip_hole(struct tail *tail, size_t length)
{
  const char *piece = tail->buffer + tail->length;
  if (length < PIECE || piece[0] || memcmp(piece, piece + 1, length - 1))
    return false;
  off_t at = lseek(tail->fd, 0, SEEK_CUR), data = at < 0 ? -1 : lseek(tail->fd, at, SEEK_DATA);
  if (at >= 0 && data < 0)
    lseek(tail->fd, errno == ENXIO ? 0 : at, errno == ENXIO ? SEEK_END : SEEK_SET);
  return true;
}

enum tail_result
tail_read(struct tail *tail, tail_line *handle, void *context)
{
  bool hole = false;
  for (int i = 0; i < PIECES; i++) {
    make_room(tail);
    ssize_t n = read(tail->fd, tail->buffer + tail->length, PIECE);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0 ? TAIL_ALL : TAIL_FAILED;
    if (skip_hole(tail, (size_t)n)) {
      if (!hole || tail->length)
        handle(context, NULL, 0, ++tail->line);
      hole = true;
      tail->length = 0;
      tail->dropping = false;
      continue;
    }
    hole = false;
    size_t from = tail->length;
    tail->length += (size_t)n;
    hand_out(tail, from, handle, context);
  }
  return TAIL_MORE;
}

void
tail_finish(struct tail *tail, tail_line *handle, void *context)
{
  if (tail->length || tail->dropping) {
    make_room(tail);
    hand_out_line(tail, 0, tail->length, handle, context);
  }
  free(tail->buffer);
  tail->buffer = NULL;
  tail->length = tail->size = 0;
}
