#include "debug_names.h"
#include "compile_unit.h"
#include "debug_files.h"
#include "demangle.h"
#include "base/regular_file.h"
#include "base/message.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_MODULES = 64 };  // open at a time

struct module {
  char *path;  // NULL: none
  Dwfl *dwfl;
  Dwfl_Module *handle;  // NULL: not to be read
  char *build_id;       // hex; NULL: none
  struct unit_ranges *units;
  struct stat file;  // as it was when it was opened
};

static struct module modules[MOST_MODULES];

static char *
read_build_id(Dwfl_Module *handle)
{
  const unsigned char *bits;
  GElf_Addr where;
  int length = dwfl_module_build_id(handle, &bits, &where);
  if (length <= 0)
    return NULL;
  char *hex = xrealloc(NULL, 2 * (size_t)length + 1);
  for (int i = 0; i < length; i++)
    sprintf(hex + 2 * i, "%02x", bits[i]);
  return hex;
}

// True if the file is read through `fd` from now on.
static bool
report(struct module *module, int fd)
{
  module->dwfl = dwfl_begin(&debug_files_callbacks);
  if (!module->dwfl)
    return false;
  dwfl_report_begin(module->dwfl);
  module->handle =
      dwfl_report_elf(module->dwfl, base_name(module->path), module->path, fd, 0, true);
  bool taken = module->handle != NULL;
  if (dwfl_report_end(module->dwfl, NULL, NULL))
    module->handle = NULL;
  return taken;
}

static void
open_module(struct module *module, const char *path)
{
  module->path = xstrdup(path);
  int fd = open_regular(path);
  if (fd < 0)
    return;
  if (fstat(fd, &module->file) || !report(module, fd))
    close(fd);
  if (module->handle)
    module->build_id = read_build_id(module->handle);
}

static void
close_module(struct module *module)
{
  if (module->dwfl)
    dwfl_end(module->dwfl);
  unit_ranges_free(module->units);
  free(module->build_id);
  free(module->path);
  *module = (struct module){0};
}

// What is mapped of a file that was written over must not be looked at any more.
static bool
is_as_it_was(const struct module *module)
{
  struct stat now;
  return !stat(module->path, &now) && now.st_dev == module->file.st_dev &&
         now.st_ino == module->file.st_ino && now.st_size == module->file.st_size &&
         now.st_mtim.tv_sec == module->file.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == module->file.st_mtim.tv_nsec;
}

static struct module *
module_of(const char *path)
{
  static size_t next;
  struct module *module = modules;
  while (module < modules + MOST_MODULES && !(module->path && !strcmp(module->path, path)))
    module++;
  if (module < modules + MOST_MODULES && is_as_it_was(module))
    return module;
  if (module == modules + MOST_MODULES)
    module = &modules[next++ % MOST_MODULES];
  close_module(module);
  open_module(module, path);
  return module;
}

static void
set_function(json_t *frame, const char *name)
{
  if (!name || !*name)
    return;
  char *plain = demangled(name);
  json_object_set_new(frame, "function", json_string(plain));
  free(plain);
}

// Resolves "." and ".." by the letter.
static char *
tidy_path(const char *path)
{
  char *result = xrealloc(NULL, strlen(path) + 2);
  size_t length = 0;
  bool absolute = path[0] == '/';
  while (*path) {
    path += strspn(path, "/");
    size_t part = strcspn(path, "/");
    if (!part)
      break;
    bool dot = part == 1 && path[0] == '.';
    bool up = part == 2 && path[0] == '.' && path[1] == '.';
    if (up && length) {
      while (length && result[length - 1] != '/')
        length--;
      if (length)
        length--;
    } else if (!dot && !(up && absolute)) {
      if (length || absolute)
        result[length++] = '/';
      memcpy(result + length, path, part);
      length += part;
    }
    path += part;
  }
  result[length] = 0;
  return result;
}

static void
set_line(json_t *frame, const char *directory, const char *file, int line)
{
  if (!file || line <= 0)
    return;
  bool relative = file[0] != '/' && directory && directory[0] == '/';
  char *joined = relative ? xasprintf("%s/%s", directory, file) : xstrdup(file);
  char *tidy = tidy_path(joined);
  json_object_set_new(frame, "file", json_string(tidy));
  json_object_set_new(frame, "line", json_integer(line));
  free(tidy);
  free(joined);
}

static const char *
die_name(Dwarf_Die *die)
{
  Dwarf_Attribute attribute;
  if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
      dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
    return dwarf_formstring(&attribute);
  return dwarf_diename(die);
}

static bool
call_site(Dwarf_Die *cu, Dwarf_Die *inlined, const char **file, int *line)
{
  Dwarf_Attribute attribute;
  Dwarf_Word file_number, line_number;
  Dwarf_Files *files;
  size_t count;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file_number) ||
      dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line_number) ||
      dwarf_getsrcfiles(cu, &files, &count) || file_number >= count)
    return false;
  *file = dwarf_filesrc(files, (size_t)file_number, NULL, NULL);
  *line = (int)line_number;
  return *file != NULL;
}

// The scopes of an address, innermost first, inlined calls as they are nested in the code. The
// caller frees them.
static int
physical_scopes(Dwarf_Die *cu, Dwarf_Addr address, Dwarf_Die **scopes)
{
  Dwarf_Die *lexical = NULL;
  int count = dwarf_getscopes(cu, address, &lexical);
  if (count <= 0)
    return 0;
  count = dwarf_getscopes_die(&lexical[0], scopes);
  free(lexical);
  return count > 0 ? count : 0;
}

static json_t *
look_up(struct module *module, GElf_Addr address)
{
  json_t *frames = json_array();
  json_t *frame = json_object();
  Dwarf_Addr bias = 0;
  Dwarf_Die *cu = compile_unit(module->handle, &module->units, address, &bias);
  const char *directory = NULL;
  if (cu) {
    Dwarf_Attribute attribute;
    directory = dwarf_formstring(dwarf_attr(cu, DW_AT_comp_dir, &attribute));
  }
  Dwarf_Line *line = cu ? dwarf_getsrc_die(cu, address - bias) : NULL;
  int number = 0;
  const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
  if (file)
    dwarf_lineno(line, &number);
  set_line(frame, directory, file, number);

  Dwarf_Die *scopes = NULL;
  int count = cu ? physical_scopes(cu, address - bias, &scopes) : 0;
  const char *outermost = NULL;
  for (int i = 0; i < count; i++) {
    int tag = dwarf_tag(&scopes[i]);
    if (tag == DW_TAG_subprogram) {
      outermost = die_name(&scopes[i]);
      break;
    }
    if (tag != DW_TAG_inlined_subroutine)
      continue;
    set_function(frame, die_name(&scopes[i]));
    json_object_set_new(frame, "inlined", json_true());
    json_array_append_new(frames, frame);
    frame = json_object();
    if (call_site(cu, &scopes[i], &file, &number))
      set_line(frame, directory, file, number);
  }
  free(scopes);

  GElf_Off into;
  GElf_Sym symbol;
  const char *name =
      dwfl_module_addrinfo(module->handle, address, &into, &symbol, NULL, NULL, NULL);
  set_function(frame, outermost ? outermost : name);
  json_array_append_new(frames, frame);
  return frames;
}

json_t *
debug_names(const char *path, const char *build_id, const json_t *addresses)
{
  struct module *module = module_of(path);
  json_t *result = json_array(), *address;
  size_t i;
  if (!module->handle ||
      (*build_id && (!module->build_id || strcmp(module->build_id, build_id) != 0)))
    return result;
  json_array_foreach((json_t *)(uintptr_t)addresses, i, address)
  {
    json_array_append_new(result, look_up(module, (GElf_Addr)json_integer_value(address)));
  }
  return result;
}
