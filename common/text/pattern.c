#include "pattern.h"

// Whether pattern (without ^ in front) fits at the beginning of text.
static bool
fits_here(const char *pattern, const char *text)
{
  for (; *pattern; pattern++, text++) {
    if (*pattern == '$' && !pattern[1])
      return !*text;
    if (*pattern == '*') {
      while (*pattern == '*')
        pattern++;
      for (;; text++) {
        if (fits_here(pattern, text))
          return true;
        if (!*text)
          return false;
      }
    }
    if (*pattern != *text)
      return false;
  }
  return true;
}

bool
pattern_fits(const char *pattern, const char *text)
{
  if (*pattern == '^')
    return fits_here(pattern + 1, text);
  for (;; text++) {
    if (fits_here(pattern, text))
      return true;
    if (!*text)
      return false;
  }
}
