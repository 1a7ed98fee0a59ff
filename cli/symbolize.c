#include "symbolize.h"
#include "compile_unit.h"
#include "demangle.h"
#include "json_get.h"
#include "text.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct module {
  struct module *next;
  char *path;
  Dwfl *dwfl;
  Dwfl_Module *handle;  // NULL: not to be read
  char *build_id;       // hex; NULL: none
  struct unit_ranges *units;
  json_t *cache;  // address to array of frames without pc, module, offset
};

static struct module *modules;
static json_t *build_ids;  // of the event at hand: module path to hex string

static char *no_debuginfo_path;

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &no_debuginfo_path,
};

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

static void
open_module(struct module *module)
{
  struct stat st;
  if (module->path[0] != '/' || stat(module->path, &st) || !S_ISREG(st.st_mode))
    return;
  module->dwfl = dwfl_begin(&callbacks);
  if (!module->dwfl)
    return;
  dwfl_report_begin(module->dwfl);
  module->handle =
      dwfl_report_elf(module->dwfl, base_name(module->path), module->path, -1, 0, true);
  if (dwfl_report_end(module->dwfl, NULL, NULL) || !module->handle) {
    module->handle = NULL;
    return;
  }
  module->build_id = read_build_id(module->handle);
}

static struct module *
module_of(const char *path)
{
  for (struct module *module = modules; module; module = module->next)
    if (!strcmp(module->path, path))
      return module;
  struct module *module = xrealloc(NULL, sizeof *module);
  *module = (struct module){.next = modules, .path = xstrdup(path), .cache = json_object()};
  modules = module;
  if (!module->next)
    unsetenv("DEBUGINFOD_URLS");
  open_module(module);
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

static const char *stripped = "";

void
symbolize_strip(const char *prefix)
{
  stripped = prefix;
}

static void
set_line(json_t *frame, const char *directory, const char *file, int line)
{
  if (!file || line <= 0)
    return;
  bool relative = file[0] != '/' && directory && directory[0] == '/';
  char *joined = relative ? xasprintf("%s/%s", directory, file) : xstrdup(file);
  char *tidy = tidy_path(joined);
  size_t prefix = strlen(stripped);
  json_object_set_new(frame, "file",
                      json_string(strncmp(tidy, stripped, prefix) ? tidy : tidy + prefix));
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

static unsigned long long
get_address(const json_t *frame, const char *key, bool *found)
{
  json_t *value = json_object_get(frame, key);
  *found = json_is_integer(value) || json_is_string(value);
  return json_is_string(value) ? strtoull(json_string_value(value), NULL, 0)
                               : (unsigned long long)json_integer_value(value);
}

// Borrowed array of what is known about the frame's address, innermost call first; NULL: nothing.
static json_t *
frames_at(const json_t *frame, bool return_address)
{
  bool found;
  const char *path = get_string(frame, "module");
  GElf_Addr address = get_address(frame, "offset", &found);
  if (!path || !*path || !found)
    return NULL;
  struct module *module = module_of(path);
  const char *build_id = get_string(frame, "build_id");
  build_id = build_id ? build_id : get_string(build_ids, path);
  if (!module->handle ||
      (build_id && *build_id && (!module->build_id || strcmp(module->build_id, build_id))))
    return NULL;
  if (return_address && address)
    address--;
  char key[32];
  snprintf(key, sizeof key, "%llx", (unsigned long long)address);
  json_t *frames = json_object_get(module->cache, key);
  if (!frames) {
    frames = look_up(module, address);
    json_object_set_new(module->cache, key, frames);
  }
  return frames;
}

// Only we name functions in events.
static bool
is_symbolized(const json_t *stack)
{
  size_t i;
  json_t *frame;
  json_array_foreach((json_t *)stack, i, frame)
  {
    if (json_object_get(frame, "function"))
      return true;
  }
  return false;
}

static void
symbolize_stack(json_t *owner, const char *key, bool first_is_exact)
{
  json_t *stack = get_array(owner, key);
  if (!stack || is_symbolized(stack))
    return;
  json_t *result = json_array();
  size_t i, j;
  json_t *frame, *known;
  json_array_foreach(stack, i, frame)
  {
    json_t *frames = json_is_object(frame) ? frames_at(frame, i > 0 || !first_is_exact) : NULL;
    if (!frames) {
      json_array_append(result, frame);
      continue;
    }
    json_array_foreach(frames, j, known)
    {
      json_t *copy = json_copy(frame);
      json_object_update(copy, known);
      json_array_append_new(result, copy);
    }
  }
  json_object_set_new(owner, key, result);
}

// From the event's list "modules".
static json_t *
read_build_ids(const json_t *event)
{
  json_t *result = json_object(), *item;
  size_t i;
  json_array_foreach(get_array(event, "modules"), i, item)
  {
    const char *path = get_string(item, "path");
    if (path && get_string(item, "build_id"))
      json_object_set(result, path, json_object_get(item, "build_id"));
  }
  return result;
}

static void
symbolize_thread(json_t *thread)
{
  symbolize_stack(thread, "stack", true);
  symbolize_stack(thread, "created_by", false);
}

void
symbolize_event(json_t *event)
{
  if (json_object_get(event, "symbolized"))
    return;
  bool any = get_array(event, "site") || get_array(event, "others") || get_array(event, "stack");
  if (!any)
    return;
  build_ids = read_build_ids(event);
  symbolize_stack(event, "site", false);
  symbolize_stack(event, "stack", true);
  json_t *others = get_array(event, "others"), *other;
  size_t i;
  json_array_foreach(others, i, other)
  {
    symbolize_thread(other);
  }
  symbolize_thread(json_object_get(event, "owner"));
  json_decref(build_ids);
  build_ids = NULL;
  json_object_set_new(event, "symbolized", json_true());
}
