#include "sanitizer.h"

#include "process.h"

#include <string.h>

// Bound when we are loaded. UBSan alone keeps nothing.
extern const char __asan_init[] __attribute__((weak));
extern const char __hwasan_init[] __attribute__((weak));
extern const char __msan_init[] __attribute__((weak));
extern const char __tsan_init[] __attribute__((weak));

const char *
sanitizer_refuses(void)
{
  bool any = __asan_init || __hwasan_init || __msan_init || __tsan_init;

  if (any)
    return "the program is built with a sanitizer";
  return sanitizer_is_valgrind() ? "the program runs under valgrind" : NULL;
}

bool
sanitizer_is_valgrind(void)
{
  return strstr(process.preload.value, "/vgpreload_");
}
