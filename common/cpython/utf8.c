#include "utf8.h"

#include <stdint.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd, LAST = 0x10ffff };

static uint32_t
character(const unsigned char *at, int width)
{
  uint16_t two;
  uint32_t four;

  switch (width) {
  case 1: return at[0];
  case 2: memcpy(&two, at, sizeof two); return two;
  default: memcpy(&four, at, sizeof four); return four;
  }
}

static size_t
encode(unsigned char *to, uint32_t c)
{
  if (c >= 0xdc80 && c <= 0xdcff) {
    to[0] = (unsigned char)c;  // the lower half of it
    return 1;
  }
  if (c == 0 || (c >= 0xd800 && c <= 0xdfff))
    c = REPLACEMENT;
  if (c < 0x80) {
    to[0] = (unsigned char)c;
    return 1;
  }
  size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  to[0] = (unsigned char)(first[more] | c >> (6 * more));
  for (size_t i = 1; i <= more; i++)
    to[i] = (unsigned char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
  return more + 1;
}

long
python_utf8(char *to, size_t size, const unsigned char *characters, size_t count, int width)
{
  size_t length = 0;

  for (size_t i = 0; i < count; i++) {
    unsigned char bytes[4];
    uint32_t c = character(characters + i * (size_t)width, width);
    if (c > LAST)
      return -1;
    size_t n = encode(bytes, c);
    if (length + n >= size)
      break;
    memcpy(to + length, bytes, n);
    length += n;
  }
  to[length] = 0;
  return (long)length;
}
