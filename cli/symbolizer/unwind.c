#include "unwind.h"
#include "debug_files.h"
#include "demangle.h"
#include "memory_image.h"
#include "process/procfs.h"
#include "registers.h"
#include "base/regular_file.h"
#include "base/message.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 256, MOST_IMAGES = 16 };

struct unwinder {
  pid_t pid;
  Dwfl *dwfl;
  bool attached;
  const uint64_t *registers;  // of the thread that is unwound
  read_memory read;
  void *images[MOST_IMAGES];
  size_t image_count;
};

static struct unwinder *at_work;  // libdwfl asks for files without saying for whom

// A file that was removed, or the kernel's own, is read from memory.
static int
find_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, char **file,
         Elf **elf)
{
  struct unwinder *unwinder = at_work;
  (void)module;
  (void)data;
  int fd = *name == '/' ? open_regular(name) : -1;
  if (fd >= 0) {
    *file = xstrdup(name);
    return fd;
  }
  const char *last = strrchr(name, ' ');
  if (((*name == '/' && last && !strcmp(last, " (deleted)")) || !strncmp(name, "[vdso", 5)) &&
      unwinder->image_count < MOST_IMAGES) {
    *elf = memory_image(base, unwinder->read, &unwinder->images[unwinder->image_count]);
    unwinder->image_count += *elf != NULL;
  }
  return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = debug_files_find_debuginfo,
    .debuginfo_path = &debug_files_path,
};

// One thread, whose id is 1, with the registers given.
static pid_t
next_thread(Dwfl *dwfl, void *unwinder, void **thread)
{
  (void)dwfl;
  if (*thread)
    return 0;
  *thread = unwinder;
  return 1;
}

static bool
get_thread(Dwfl *dwfl, pid_t tid, void *unwinder, void **thread)
{
  (void)dwfl;
  *thread = unwinder;
  return tid == 1;
}

static bool
read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *unwinder)
{
  (void)dwfl;
  return ((struct unwinder *)unwinder)->read(address, word, sizeof *word);
}

static bool
set_registers(Dwfl_Thread *thread, void *argument)
{
  const struct unwinder *unwinder = argument;
  Dwarf_Word words[REG_IP];
  for (size_t i = 0; i < REG_IP; i++)
    words[i] = unwinder->registers[i];
  dwfl_thread_state_register_pc(thread, unwinder->registers[REG_IP]);
  return dwfl_thread_state_registers(thread, 0, REG_IP, words);
}

static const Dwfl_Thread_Callbacks from_registers = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_word,
    .set_initial_registers = set_registers,
};

struct unwinder *
unwinder_open(pid_t pid, read_memory read)
{
  struct unwinder *unwinder = xrealloc(NULL, sizeof *unwinder);
  *unwinder = (struct unwinder){.dwfl = dwfl_begin(&callbacks), .pid = pid, .read = read};
  at_work = unwinder;
  if (!unwinder->dwfl || dwfl_linux_proc_report(unwinder->dwfl, pid) ||
      dwfl_report_end(unwinder->dwfl, NULL, NULL)) {
    unwinder_close(unwinder);
    return NULL;
  }
  unwinder->attached = dwfl_attach_state(unwinder->dwfl, NULL, pid, &from_registers, unwinder);
  return unwinder;
}

void
unwinder_close(struct unwinder *unwinder)
{
  if (!unwinder)
    return;
  if (unwinder->dwfl)
    dwfl_end(unwinder->dwfl);
  for (size_t i = 0; i < unwinder->image_count; i++)
    free(unwinder->images[i]);
  free(unwinder);
}

// Whether the module, loaded with this bias, has the address: libdwfl takes the gaps between
// modules for parts of them.
static bool
has_address(Dwfl_Module *module, uint64_t address)
{
  Dwarf_Addr bias;
  size_t count = 0;
  Elf *elf = dwfl_module_getelf(module, &bias);
  if (!elf || elf_getphdrnum(elf, &count))
    return false;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD &&
        address - bias - header.p_vaddr < header.p_memsz)
      return true;
  }
  return false;
}

// The anonymous pages of a module's .bss follow those of its file.
static Dwfl_Module *
module_of(struct unwinder *unwinder, uint64_t address)
{
  struct mapping mapping;
  Dwfl_Module *module = dwfl_addrmodule(unwinder->dwfl, address);
  if (module && has_address(module, address))
    return module;
  if (!procfs_mapping(unwinder->pid, address, &mapping) || *mapping.path)
    return NULL;
  module = dwfl_addrmodule(unwinder->dwfl, mapping.start - 1);
  return module && has_address(module, address) ? module : NULL;
}

// Adds module and offset, which is the address in the module's file; the module, or NULL.
static Dwfl_Module *
place(struct unwinder *unwinder, json_t *frame, uint64_t address)
{
  Dwfl_Module *module = module_of(unwinder, address);
  Dwarf_Addr start, bias;
  const char *path = NULL;
  if (!module)
    return NULL;
  const char *name = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, &path, NULL);
  if (!dwfl_module_getelf(module, &bias))
    bias = start;
  if (!path || !*path)
    path = name;
  if (!path)
    return module;
  char offset[32];
  snprintf(offset, sizeof offset, "0x%llx", (unsigned long long)(address - bias));
  json_object_set_new(frame, "module", json_string(path));
  json_object_set_new(frame, "offset", json_string(offset));
  return module;
}

struct walk {
  struct unwinder *unwinder;
  size_t frames;
  void (*found)(json_t *frame);
};

static int
add_frame(Dwfl_Frame *state, void *argument)
{
  struct walk *walk = argument;
  Dwarf_Addr pc;
  char text[32];
  if (!dwfl_frame_pc(state, &pc, NULL) || walk->frames++ >= MOST_FRAMES)
    return DWARF_CB_ABORT;
  json_t *frame = json_object();
  snprintf(text, sizeof text, "0x%llx", (unsigned long long)pc);
  json_object_set_new(frame, "pc", json_string(text));
  place(walk->unwinder, frame, pc);
  walk->found(frame);
  return DWARF_CB_OK;
}

void
unwind(struct unwinder *unwinder, const uint64_t *registers, void (*found)(json_t *frame))
{
  struct walk walk = {.unwinder = unwinder, .found = found};
  at_work = unwinder;
  unwinder->registers = registers;
  if (unwinder->attached)
    dwfl_getthread_frames(unwinder->dwfl, 1, add_frame, &walk);
}

json_t *
unwinder_symbol(struct unwinder *unwinder, uint64_t address)
{
  json_t *result = json_object();
  at_work = unwinder;
  Dwfl_Module *module = place(unwinder, result, address);
  GElf_Off into;
  GElf_Sym symbol;
  const char *name =
      module ? dwfl_module_addrinfo(module, address, &into, &symbol, NULL, NULL, NULL) : NULL;
  if (name && into < symbol.st_size) {
    char *plain = demangled(name);
    json_object_set_new(result, "symbol", json_string(plain));
    if (into)
      json_object_set_new(result, "symbol_offset", json_integer((json_int_t)into));
    free(plain);
  }
  return result;
}
