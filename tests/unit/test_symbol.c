#include "unwind/symbol.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __attribute__((noinline)) int
static_function(int x)
{
  return x * 3;
}

static uint64_t
in_file(const void *address, char **path)
{
  Dl_info info;
  struct link_map *map;

  cr_assert(dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP));
  *path = (char *)(uintptr_t)info.dli_fname;
  return (uint64_t)(uintptr_t)address - map->l_addr;
}

Test(symbol, finds_exported_and_static_functions)
{
  char name[64] = "", *path;

  uint64_t offset = in_file((void *)(uintptr_t)getpid, &path);
  cr_assert(symbol_find(path, offset + 1, name, sizeof name));
  cr_assert(strstr(name, "getpid"));
  offset = in_file((void *)(uintptr_t)static_function, &path);
  cr_assert(symbol_find("/proc/self/exe", offset, name, sizeof name));
  cr_assert_str_eq(name, "static_function");
  cr_assert_eq(static_function(2), 6);
  cr_assert_not(symbol_find("/proc/self/exe", 1, name, sizeof name));
  cr_assert_not(symbol_find("/does/not/exist", offset, name, sizeof name));
  symbol_done();
}

static int static_variable[4] = {1};

Test(symbol, finds_variables)
{
  char name[64] = "", *path;

  uint64_t offset = in_file(&static_variable[2], &path);
  cr_assert(symbol_find_data("/proc/self/exe", offset, name, sizeof name));
  cr_assert_str_eq(name, "static_variable");
  cr_assert_not(symbol_find("/proc/self/exe", offset, name, sizeof name));
  symbol_done();
}

// A file of any content: no crash (the sanitizer build watches).
Test(symbol, survives_broken_files)
{
  char path[] = "/tmp/forkhound-symbol-XXXXXX", name[64];
  static unsigned char bytes[1 << 20];
  int self = open("/proc/self/exe", O_RDONLY);
  ssize_t size = read(self, bytes, sizeof bytes);
  int fd = mkstemp(path);

  cr_assert(size > 4096 && fd >= 0);
  srand(2);
  for (int round = 0; round < 200; round++) {
    unsigned char changed[4096];
    memcpy(changed, bytes, sizeof changed);
    for (int i = 0; i < 1 + round % 16; i++)
      changed[rand() % 64] = (unsigned char)rand();
    cr_assert_eq(pwrite(fd, changed, sizeof changed, 0), (ssize_t)sizeof changed);
    cr_assert_eq(ftruncate(fd, rand() % (int)sizeof changed), 0);
    symbol_find(path, 0x1234, name, sizeof name);
    symbol_done();
  }
  close(fd);
  close(self);
  unlink(path);
}
