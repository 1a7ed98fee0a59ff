#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*clean_up_at_death)(void);

void
on_die(void (*clean_up)(void))
{
  clean_up_at_death = clean_up;
}

// The format with %m written out, which only glibc's printf() knows. The caller frees it.
static char *
with_error(const char *format, int error)
{
  const char *text = strerror(error), *at;
  char *result = xstrdup(format);
  while ((at = strstr(result, "%m"))) {
    char *longer = xasprintf("%.*s%s%s", (int)(at - result), result, text, at + 2);
    free(result);
    result = longer;
  }
  return result;
}

static void
vmessage(const char *format, va_list arguments)
{
  char *whole_format = with_error(format, errno), *line = NULL;
  bool formatted = vasprintf(&line, whole_format, arguments) >= 0;
  free(whole_format);
  if (!formatted)
    return;
  char *safe = escaped(line);
  char *whole = xasprintf("forkhound: %s\n", safe);
  fflush(stderr);
  size_t length = strlen(whole);
  for (size_t done = 0; done < length;) {
    ssize_t n = write(STDERR_FILENO, whole + done, length - done);
    if (n <= 0)
      break;
    done += (size_t)n;
  }
  free(whole);
  free(safe);
  free(line);
}

void
message(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vmessage(format, arguments);
  va_end(arguments);
}

void
die(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vmessage(format, arguments);
  va_end(arguments);
  if (clean_up_at_death)
    clean_up_at_death();
  exit(125);
}

// Length of the valid UTF-8 sequence at `s` (0 if none) and its code point.
static size_t
utf8(const unsigned char *s, unsigned *code)
{
  if (s[0] < 0x80) {
    *code = s[0];
    return 1;
  }
  size_t length;
  unsigned least;
  if ((s[0] & 0xe0) == 0xc0) {
    length = 2;
    least = 0x80;
    *code = s[0] & 0x1fu;
  } else if ((s[0] & 0xf0) == 0xe0) {
    length = 3;
    least = 0x800;
    *code = s[0] & 0x0fu;
  } else if ((s[0] & 0xf8) == 0xf0) {
    length = 4;
    least = 0x10000;
    *code = s[0] & 0x07u;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; i++) {
    if ((s[i] & 0xc0) != 0x80)
      return 0;
    *code = *code << 6 | (s[i] & 0x3fu);
  }
  if (*code < least || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
    return 0;
  return length;
}

static bool
harmless(unsigned code)
{
  return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0x61c && code != 0x200e &&
         code != 0x200f && !(code >= 0x2028 && code <= 0x202e) &&
         !(code >= 0x2066 && code <= 0x2069);
}

// A line that begins so, perhaps after blanks, is a command to GitHub's or Azure's runner.
static bool
is_command(const char *text)
{
  return !strncmp(text, "::", 2) || !strncmp(text, "##[", 3);
}

char *
escaped(const char *text)
{
  if (!text)
    text = "";
  char *result = xrealloc(NULL, 4 * strlen(text) + 1);
  char *to = result;
  while (*text == ' ')
    *to++ = *text++;
  if (is_command(text))
    to += sprintf(to, "\\x%02x", *text++);
  for (const unsigned char *s = (const unsigned char *)text; *s;) {
    unsigned code;
    size_t length = utf8(s, &code);
    if (length && harmless(code)) {
      memcpy(to, s, length);
      to += length;
      s += length;
      continue;
    }
    for (size_t n = length ? length : 1; n; n--)
      to += sprintf(to, "\\x%02x", *s++);
  }
  *to = 0;
  return result;
}

void
put_escaped(FILE *out, const char *text)
{
  char *safe = escaped(text);
  fputs(safe, out);
  free(safe);
}

void *
xrealloc(void *memory, size_t size)
{
  void *result = realloc(memory, size ? size : 1);
  if (!result) {
    static const char line[] = "forkhound: out of memory\n";
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0) {
      // nothing left to try
    }
    if (clean_up_at_death)
      clean_up_at_death();
    _exit(125);
  }
  return result;
}

char *
xstrdup(const char *text)
{
  size_t size = strlen(text) + 1;
  return memcpy(xrealloc(NULL, size), text, size);
}

char *
xasprintf(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  char *result = NULL;
  int n = vasprintf(&result, format, arguments);
  va_end(arguments);
  return n < 0 ? xrealloc(NULL, (size_t)-1 / 2) : result;
}

const char *
base_name(const char *path)
{
  if (!path)
    return "";
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
