#include "sanitizer.h"

#include <dlfcn.h>
#include <stddef.h>

const char *
sanitizer_refuses(void)
{
  // UBSan alone keeps nothing.
  static const char *const runtimes[] = {"__asan_init", "__hwasan_init", "__msan_init",
                                         "__tsan_init"};

  for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
    if (dlsym(RTLD_DEFAULT, runtimes[i]))
      return "the program is built with a sanitizer";
  }
  return NULL;
}
