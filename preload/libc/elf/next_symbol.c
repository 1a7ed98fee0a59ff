#include "libc/next_symbol.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

// Functions that glibc keeps in an older form too, for programs linked long ago. Before glibc 2.36
// dlsym(RTLD_NEXT) finds the oldest form (https://sourceware.org/bugzilla/show_bug.cgi?id=14932),
// whose pthread_cond_t is another structure: its version must be asked for.
static const struct {
  const char *symbol;
  const char *version;
} versions[] = {
    {"posix_spawn", "GLIBC_2.15"},
    {"posix_spawnp", "GLIBC_2.15"},
    {"pthread_cond_destroy", "GLIBC_2.3.2"},
    {"pthread_cond_init", "GLIBC_2.3.2"},
    {"pthread_cond_timedwait", "GLIBC_2.3.2"},
    {"pthread_cond_wait", "GLIBC_2.3.2"},
    {"pthread_kill", "GLIBC_2.34"},
    {"pthread_setaffinity_np", "GLIBC_2.34"},
    {"quick_exit", "GLIBC_2.24"},
    {"timer_create", "GLIBC_2.34"},
};

void *
next_symbol(const char *symbol)
{
  void *found = NULL;

  for (size_t i = 0; i < sizeof versions / sizeof versions[0] && !found; i++) {
    if (strcmp(versions[i].symbol, symbol) == 0)
      found = dlvsym(RTLD_NEXT, symbol, versions[i].version);
  }
  return found ? found : dlsym(RTLD_NEXT, symbol);
}

// The symbol as one that looks from this library, which is loaded already, finds it.
static void *
symbol_from(const char *symbol, const char *library)
{
  // Past our wrappers: the program has called neither.
  void *(*open)(const char *, int);
  int (*close)(void *);

  *(void **)(void *)&open = next_symbol("dlopen");
  *(void **)(void *)&close = next_symbol("dlclose");
  void *handle = open(library, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle)
    return NULL;
  void *found = dlsym(handle, symbol);
  close(handle);
  return found;
}

void *
symbol_for(const char *symbol, const void *caller)
{
  Dl_info info;
  struct link_map *map;
  void *found = NULL;

  if (dladdr1(caller, &info, (void **)&map, RTLD_DL_LINKMAP))
    found = symbol_from(symbol, map->l_name);
  // A library may leave it to others to load what it needs.
  return found ? found : symbol_from(symbol, "libstdc++.so.6");
}
