#include "text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
text_add(struct text *t, const char *format, ...)
{
  size_t room = t->size - t->length;
  va_list arguments;

  va_start(arguments, format);
  int wanted = vsnprintf(t->bytes + t->length, room, format, arguments);
  va_end(arguments);
  if (wanted < 0)
    return;
  if ((size_t)wanted >= room) {
    t->truncated = true;
    t->length = t->size - 1;
    return;
  }
  t->length += (size_t)wanted;
}

static void
put(struct text *t, const void *bytes, size_t length)
{
  size_t room = t->size - t->length;

  if (length >= room) {
    t->truncated = true;
    length = room - 1;
  }
  memcpy(t->bytes + t->length, bytes, length);
  t->length += length;
  t->bytes[t->length] = 0;
}

void
text_add_string(struct text *t, const char *string)
{
  put(t, string, strlen(string));
}

void
text_add_hex(struct text *t, uint64_t number)
{
  char digits[18];
  size_t at = sizeof digits;

  do {
    digits[--at] = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number);
  digits[--at] = 'x';
  digits[--at] = '0';
  put(t, digits + at, sizeof digits - at);
}

void
text_add_number(struct text *t, const char *before, uint64_t number)
{
  char digits[20];
  size_t at = sizeof digits;

  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  text_add_string(t, before);
  put(t, digits + at, sizeof digits - at);
}

// Length in bytes of the UTF-8 sequence at s, or 0 where there is none. Overlong forms, surrogates
// and values above U+10FFFF are refused (RFC 3629).
static size_t
utf8_length(const unsigned char *s)
{
  if (s[0] < 0x80)
    return 1;
  if (s[0] >= 0xc2 && s[0] <= 0xdf)
    return (s[1] & 0xc0) == 0x80 ? 2 : 0;
  if (s[0] >= 0xe0 && s[0] <= 0xef) {
    if ((s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
      return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
      return 0;
    return 3;
  }
  if (s[0] >= 0xf0 && s[0] <= 0xf4) {
    if ((s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80)
      return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
      return 0;
    return 4;
  }
  return 0;
}

void
text_add_escaped(struct text *t, const char *string)
{
  const unsigned char *s = (const unsigned char *)string;

  while (*s) {
    size_t n = utf8_length(s);
    // U+0080 to U+009F are control characters too.
    bool control = n == 0 || *s < 0x20 || *s == 0x7f || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
    if (control) {
      text_add(t, "\\x%02x", *s);
      s++;
    } else {
      put(t, s, n);
      s += n;
    }
  }
}

// What JSON takes as it is, of one byte a character: nearly all there is.
static size_t
plain_length(const unsigned char *s)
{
  size_t n = 0;

  while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
    n++;
  return n;
}

void
text_add_json(struct text *t, const char *string)
{
  const unsigned char *s = (const unsigned char *)string;

  put(t, "\"", 1);
  while (*s) {
    size_t n = *s < 0x80 ? plain_length(s) : utf8_length(s);
    if (n > 0) {
      put(t, s, n);
      s += n;
    } else if (*s >= 0x80) {
      text_add(t, "\\ufffd");
      s++;
    } else if (*s == '"' || *s == '\\') {
      text_add(t, "\\%c", *s++);
    } else {
      text_add(t, "\\u%04x", *s++);
    }
  }
  put(t, "\"", 1);
}
