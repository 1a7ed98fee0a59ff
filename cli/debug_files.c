#include "debug_files.h"
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GLOBAL "/usr/lib/debug"

// The directory of the file, one in it, and the global one (libdwfl.h): links_to_strange_file()
// knows these.
static char search_path[] = ":.debug:" GLOBAL;
char *debug_files_path = search_path;

static bool
is_strange(char *path)
{
  struct stat st;
  bool strange = !stat(path, &st) && !S_ISREG(st.st_mode);
  free(path);
  return strange;
}

// In the global directory the file may lie below any end of the directory's path.
static bool
has_strange_link(const char *directory, const char *link)
{
  bool strange = is_strange(xasprintf("%s/%s", directory, link)) ||
                 is_strange(xasprintf("%s/.debug/%s", directory, link)) ||
                 is_strange(xasprintf(GLOBAL "/%s", link));
  for (const char *rest = directory; *rest && !strange; rest++)
    if (*rest == '/' || rest == directory)
      strange = is_strange(xasprintf(GLOBAL "/%s/%s", rest, link));
  return strange;
}

static bool
has_strange_link_beside(const char *file, const char *link)
{
  char *directory = xstrdup(file), *slash = strrchr(directory, '/');
  if (slash)
    *slash = 0;
  bool strange = has_strange_link(slash ? directory : ".", link);
  free(directory);
  return strange;
}

static bool
links_to_strange_file(const char *file, const char *link)
{
  if (is_strange(xstrdup(link)))
    return true;
  char *real = file ? realpath(file, NULL) : NULL;
  bool strange = (file && has_strange_link_beside(file, link)) ||
                 (real && has_strange_link_beside(real, link));
  free(real);
  return strange;
}

// By build-id: .build-id/xx/yyyy.debug.
static bool
has_strange_build_id_file(Dwfl_Module *module)
{
  const unsigned char *bits;
  GElf_Addr where;
  int length = dwfl_module_build_id(module, &bits, &where);
  if (length < 2)
    return false;
  char *hex = xrealloc(NULL, 2 * (size_t)length + 1);
  for (int i = 0; i < length; i++)
    sprintf(hex + 2 * i, "%02x", bits[i]);
  bool strange = is_strange(xasprintf(GLOBAL "/.build-id/%.2s/%s.debug", hex, hex + 2));
  free(hex);
  return strange;
}

int
debug_files_find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word sum, char **found)
{
  char *by_basename = link || !file ? NULL : xasprintf("%s.debug", base_name(file));
  const char *wanted = link ? link : by_basename;
  bool strange =
      has_strange_build_id_file(module) || (wanted && links_to_strange_file(file, wanted));
  free(by_basename);
  if (strange) {
    errno = 0;
    return -1;
  }
  return dwfl_standard_find_debuginfo(module, data, name, base, file, link, sum, found);
}

const Dwfl_Callbacks debug_files_callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = debug_files_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_files_path,
};
