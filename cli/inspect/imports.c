#include "imports.h"
#include "process/procfs.h"
#include "base/regular_file.h"
#include "symbolizer/symbolizer.h"
#include "base/message.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// All of them lead to one place of libc (<setjmp.h>; the last with _FORTIFY_SOURCE).
static const struct wanted {
  const char *name, *functions[6], *left_out[6];  // modules: by the beginning of their names
} long_jumps = {"long jumps",
                {"longjmp", "_longjmp", "siglongjmp", "__longjmp_chk"},
                {"libc.so", "libpthread.so", "ld-linux", "libforkhound.so"}},
  // The interpreter itself gives a state to the threads that it starts only.
    python_states = {"states of Python",
                     {"PyGILState_Ensure", "PyThreadState_New", "Py_NewInterpreter",
                      "Py_NewInterpreterFromConfig", "PyThread_release_lock"},
                     {"libpython", "python", "libc.so", "ld-linux", "libforkhound.so"}};

static bool
is_wanted(const struct wanted *wanted, const char *name)
{
  for (size_t i = 0; name && i < sizeof wanted->functions / sizeof *wanted->functions; i++)
    if (wanted->functions[i] && !strcmp(name, wanted->functions[i]))
      return true;
  return false;
}

static bool
table_has_import(const struct wanted *wanted, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
  Elf_Data *data = elf_getdata(section, NULL);
  size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
  GElf_Sym symbol;
  for (size_t i = 0; i < count && gelf_getsym(data, (int)i, &symbol); i++)
    if (symbol.st_shndx == SHN_UNDEF &&
        is_wanted(wanted, elf_strptr(elf, header->sh_link, symbol.st_name)))
      return true;
  return false;
}

// A module without a dynamic symbol table has libc in itself: it may.
static bool
imports(const struct wanted *wanted, Elf *elf)
{
  Elf_Scn *section = NULL;
  GElf_Shdr header;
  while ((section = elf_nextscn(elf, section)))
    if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
      return table_has_import(wanted, elf, section, &header);
  return true;
}

static bool
module_calls(const struct wanted *wanted, pid_t pid, const char *path)
{
  char *name = xasprintf("/proc/%d/root%s", (int)pid, path);
  int fd = open_regular(name);
  free(name);
  Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
  bool calls = !elf || elf_kind(elf) != ELF_K_ELF || imports(wanted, elf);
  elf_end(elf);
  if (fd >= 0)
    close(fd);
  return calls;
}

// Those modules of the standard library take and release locks in threads of Python's only; of the
// others _ctypes makes functions of Python's that any thread may call.
static bool
is_of_python(const char *path)
{
  static const char *const foreign[] = {"_ctypes", "_test", "_xx", "_interp"};
  if (!strstr(path, "/lib-dynload/"))
    return false;
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    if (!strncmp(base_name(path), foreign[i], strlen(foreign[i])))
      return false;
  return true;
}

static bool
is_left_out(const struct wanted *wanted, const char *path)
{
  for (size_t i = 0; i < sizeof wanted->left_out / sizeof *wanted->left_out; i++) {
    const char *name = wanted->left_out[i];
    if (name && !strncmp(base_name(path), name, strlen(name)))
      return true;
  }
  return wanted == &python_states && is_of_python(path);
}

// A line of maps (proc(5)) of executable memory: the path of its file, else NULL.
static char *
module_path(const struct wanted *wanted, char *line)
{
  char *permissions = strchr(line, ' ');
  char *path = strchr(line, '/');
  return permissions && path && permissions[3] == 'x' && !is_left_out(wanted, path) ? path : NULL;
}

bool
imports_any(const char *name, pid_t pid)
{
  const struct wanted *wanted = !strcmp(name, long_jumps.name) ? &long_jumps : &python_states;
  char *maps = procfs_read(pid, 0, "maps"), *rest = NULL;
  bool calls = !maps;
  elf_version(EV_CURRENT);
  for (char *line = maps ? strtok_r(maps, "\n", &rest) : NULL; line && !calls;
       line = strtok_r(NULL, "\n", &rest)) {
    const char *path = module_path(wanted, line);
    calls = path && module_calls(wanted, pid, path);
  }
  free(maps);
  return calls;
}

static bool
some_module_calls(const struct wanted *wanted, pid_t pid)
{
  json_t *answer =
      symbolizer_ask(json_pack("{s:s, s:i}", "imports", wanted->name, "pid", (int)pid), NULL, NULL);
  bool calls = !json_is_false(answer);
  json_decref(answer);
  return calls;
}

bool
calls_long_jump(pid_t pid)
{
  return some_module_calls(&long_jumps, pid);
}

bool
gives_python_states(pid_t pid)
{
  return some_module_calls(&python_states, pid);
}
