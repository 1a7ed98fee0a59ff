#include "debug_files.h"
#include "base/message.h"

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

// What is there of the files that libdwfl will try to open.
struct look {
  bool regular, other;
};

static void
look_at(struct look *look, char *path)
{
  struct stat st;
  if (!stat(path, &st)) {
    look->regular |= S_ISREG(st.st_mode);
    look->other |= !S_ISREG(st.st_mode);
  }
  free(path);
}

// In the global directory the file may lie below any end of the directory's path.
static void
look_for_link(struct look *look, const char *file, const char *link)
{
  char *directory = xstrdup(file), *slash = strrchr(directory, '/');
  strcpy(slash ? slash : directory, slash ? "" : ".");
  look_at(look, xasprintf("%s/%s", directory, link));
  look_at(look, xasprintf("%s/.debug/%s", directory, link));
  look_at(look, xasprintf(GLOBAL "/%s", link));
  for (const char *rest = directory; *rest; rest++)
    if (*rest == '/' || rest == directory)
      look_at(look, xasprintf(GLOBAL "/%s/%s", rest, link));
  free(directory);
}

// By build-id: .build-id/xx/yyyy.debug.
static void
look_for_build_id(struct look *look, Dwfl_Module *module)
{
  const unsigned char *bits;
  GElf_Addr where;
  int length = dwfl_module_build_id(module, &bits, &where);
  if (length < 2)
    return;
  char *hex = xrealloc(NULL, 2 * (size_t)length + 1);
  for (int i = 0; i < length; i++)
    sprintf(hex + 2 * i, "%02x", bits[i]);
  look_at(look, xasprintf(GLOBAL "/.build-id/%.2s/%s.debug", hex, hex + 2));
  free(hex);
}

// Where there is nothing it is not called: it would load libdebuginfod, and ask that.
int
debug_files_find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word sum, char **found)
{
  struct look look = {0};
  char *real = file ? realpath(file, NULL) : NULL;
  char *wanted = link ? xstrdup(link) : xasprintf("%s.debug", base_name(file));
  look_for_build_id(&look, module);
  look_at(&look, xstrdup(wanted));
  if (file)
    look_for_link(&look, file, wanted);
  if (real)
    look_for_link(&look, real, wanted);
  free(wanted);
  free(real);
  if (look.regular && !look.other)
    return dwfl_standard_find_debuginfo(module, data, name, base, file, link, sum, found);
  errno = 0;
  return -1;
}

const Dwfl_Callbacks debug_files_callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = debug_files_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_files_path,
};
