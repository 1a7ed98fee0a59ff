#include "unwind/unwind.h"

#include "os/map.h"
#include "libc/real_calls.h"
#include "os/memory.h"

#include <dlfcn.h>
#include <libunwind.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

// Loaded with dlopen(): libunwind must not enter the program's global scope, and a single-threaded
// program must never load it. The names are those the macros of libunwind.h expand to.
static struct {
  bool tried, loaded;
  uint64_t low, size;  // of its text
  unw_addr_space_t local;
  unw_accessors_t *local_accessors;
  unw_addr_space_t copies;
  int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
  int (*step)(unw_cursor_t *);
  int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
  int (*search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int,
                             void *);
  void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
} library;

static const struct modules *modules;
// Set while the calling thread is in libunwind, whose system calls are not all welcome in a
// program:
// - at its start it opens a pipe to test addresses of the live process, which we never give it, and
//   would keep the two descriptors, and it calls mincore(), which a seccomp filter may not allow;
// - around each of its locks it blocks all signals: a SIGCHLD would go to another thread meanwhile,
// and
//   wake it out of a wait. A handler that forks is kept out of libunwind by fork.c instead.
static __thread bool inside;

// Not of a signal handler that runs meanwhile.
static bool
called_by_libunwind(const void *return_address)
{
  uint64_t address = (uint64_t)(uintptr_t)return_address;

  return inside && address - library.low < library.size;
}

FH_EXPORT int
pipe2(int fds[2], int flags)
{
  if (called_by_libunwind(__builtin_return_address(0)))
    return -1;
  fh_real_resolve();
  return fh_real.pipe2(fds, flags);
}

FH_EXPORT int
mincore(void *address, size_t length, unsigned char *resident)
{
  if (called_by_libunwind(__builtin_return_address(0))) {
    *resident = 1;  // it asks for one page, of its own stack
    return 0;
  }
  fh_real_resolve();
  return fh_real.mincore(address, length, resident);
}

FH_EXPORT int
sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
  if (called_by_libunwind(__builtin_return_address(0)))
    return 0;
  fh_real_resolve();
  return fh_real.sigprocmask(how, set, old);
}

// .eh_frame_hdr (LSB Core, "The .eh_frame_hdr section") in the encodings that every linker writes.
struct eh_frame_hdr {
  uint8_t version;            // 1
  uint8_t eh_frame_encoding;  // 4 bytes wide
  uint8_t count_encoding;     // udata4
  uint8_t table_encoding;     // datarel, sdata4
  int32_t eh_frame;
  uint32_t count;
  // pairs of int32_t follow: start of a function, its FDE; both relative to this header
};

static int
find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need,
               void *argument)
{
  const struct module *m = modules_find(modules, ip);
  struct eh_frame_hdr header = {.version = 0};

  if (!m || !m->eh_frame_hdr ||
      memory_copy(&header, sizeof header, m->eh_frame_hdr) != sizeof header ||
      header.version != 1 || (header.eh_frame_encoding & 0x0f) != 0x0b ||
      header.count_encoding != 0x03 || header.table_encoding != 0x3b)
    return -UNW_ENOINFO;
  unw_dyn_info_t table = {
      .start_ip = m->low,
      .end_ip = m->high,
      .format = UNW_INFO_FORMAT_REMOTE_TABLE,
      .u.rti.segbase = m->eh_frame_hdr,
      .u.rti.table_data = m->eh_frame_hdr + sizeof header,
      .u.rti.table_len = header.count * 2 * sizeof(int32_t) / sizeof(unw_word_t),
  };
  return library.search_unwind_table(space, ip, &table, info, need, argument);
}

static void
put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument)
{
  (void)space;
  library.local_accessors->put_unwind_info(library.local, info, argument);
}

static int
no_dynamic_info(unw_addr_space_t space, unw_word_t *address, void *argument)
{
  (void)space;
  (void)address;
  (void)argument;
  return -UNW_ENOINFO;
}

// libunwind reads tables a word at a time: whole pages are kept for the time of a report, and no
// longer, for each fork would have to copy their mapping.
enum { PAGE = 4096, PAGES = 128 };
static struct read_pages {
  uint64_t addresses[PAGES];  // 0: empty
  unsigned char bytes[PAGES][PAGE];
} * pages;

static bool
read_word(uint64_t address, unw_word_t *value)
{
  unsigned char *to = (unsigned char *)value;

  if (!pages)
    pages = memory_map(sizeof *pages);
  if (!pages)
    return memory_copy(value, sizeof *value, address) == sizeof *value;
  for (size_t done = 0; done < sizeof *value;) {
    uint64_t at = address + done, page = at & ~(PAGE - 1ul);
    size_t i = page / PAGE % PAGES;
    if (pages->addresses[i] != page) {
      pages->addresses[i] = 0;
      if (memory_copy(pages->bytes[i], PAGE, page) != PAGE)
        return false;
      pages->addresses[i] = page;
    }
    size_t n = page + PAGE - at < sizeof *value - done ? page + PAGE - at : sizeof *value - done;
    memcpy(to + done, pages->bytes[i] + (at - page), n);
    done += n;
  }
  return true;
}

static int
access_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
              void *argument)
{
  const struct stack_copy *stack = argument;

  (void)space;
  if (write)
    return -UNW_EINVAL;
  if (address >= stack->address && address - stack->address + sizeof *value <= stack->length) {
    memcpy(value, stack->bytes + (address - stack->address), sizeof *value);
    return 0;
  }
  return modules_find(modules, address) && read_word(address, value) ? 0 : -UNW_EINVAL;
}

static int
access_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
                void *argument)
{
  const struct stack_copy *stack = argument;

  (void)space;
  if (write || number < 0 || number >= REGISTERS)
    return -UNW_EBADREG;
  *value = stack->registers->at[number];
  return 0;
}

static int
no_fp_register(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
               void *argument)
{
  (void)space;
  (void)number;
  (void)value;
  (void)write;
  (void)argument;
  return -UNW_EBADREG;
}

static int
no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
  (void)space;
  (void)cursor;
  (void)argument;
  return -UNW_EINVAL;
}

static int
no_name(unw_addr_space_t space, unw_word_t ip, char *buffer, size_t size, unw_word_t *offset,
        void *argument)
{
  (void)space;
  (void)ip;
  (void)buffer;
  (void)size;
  (void)offset;
  (void)argument;
  return -UNW_ENOINFO;
}

static void *
symbol(void *handle, const char *name, bool *missing)
{
  void *address = dlsym(handle, name);

  if (!address)
    *missing = true;
  return address;
}

#define STRINGIFY(name) #name
#define NAME(name) STRINGIFY(name)
#define FETCH(member, name) *(void **)(void *)&library.member = symbol(handle, NAME(name), &missing)

static void
find_range(void *handle)
{
  struct link_map *map;
  const ElfW(Ehdr) * header;

  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
    return;
  header = (const void *)map->l_addr;
  const ElfW(Phdr) *segments = (const void *)(map->l_addr + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X)) {
      library.low = map->l_addr + segments[i].p_vaddr;
      library.size = segments[i].p_memsz;
    }
  }
}

bool
unwind_load(void)
{
  if (library.tried)
    return library.loaded;
  library.tried = true;

  void *handle = dlopen("libunwind-x86_64.so.8", RTLD_NOW | RTLD_LOCAL);
  bool missing = !handle;
  if (missing)
    return false;
  find_range(handle);
  unw_addr_space_t *local = symbol(handle, NAME(unw_local_addr_space), &missing);
  unw_accessors_t *(*get_accessors)(unw_addr_space_t);
  unw_addr_space_t (*create)(unw_accessors_t *, int);
  int (*set_caching)(unw_addr_space_t, unw_caching_policy_t);
  *(void **)(void *)&get_accessors = symbol(handle, NAME(unw_get_accessors), &missing);
  *(void **)(void *)&create = symbol(handle, NAME(unw_create_addr_space), &missing);
  *(void **)(void *)&set_caching = symbol(handle, NAME(unw_set_caching_policy), &missing);
  FETCH(init_remote, unw_init_remote);
  FETCH(step, unw_step);
  FETCH(get_reg, unw_get_reg);
  // Exported for libunwind-ptrace and its like, but in no header.
  FETCH(search_unwind_table, UNW_OBJ(dwarf_search_unwind_table));
  FETCH(flush_cache, unw_flush_cache);
  if (missing)
    return false;

  static unw_accessors_t accessors = {
      .find_proc_info = find_proc_info,
      .put_unwind_info = put_unwind_info,
      .get_dyn_info_list_addr = no_dynamic_info,
      .access_mem = access_memory,
      .access_reg = access_register,
      .access_fpreg = no_fp_register,
      .resume = no_resume,
      .get_proc_name = no_name,
  };
  inside = true;
  library.local = *local;
  library.local_accessors = get_accessors(library.local);
  library.copies = create(&accessors, 0);
  struct registers none = {{0}};
  struct stack_copy empty = {.registers = &none};
  unw_cursor_t cursor;
  (void)library.init_remote(&cursor, library.copies, &empty);
  inside = false;
  if (!library.copies)
    return false;
  set_caching(library.copies, UNW_CACHE_GLOBAL);
  library.loaded = true;
  return true;
}

void
unwind_end(void)
{
  if (pages)
    munmap(pages, sizeof *pages);
  pages = NULL;
}

void
unwind_begin(const struct modules *current)
{
  modules = current;
  unwind_end();
  if (!library.loaded)
    return;
  inside = true;
  library.flush_cache(library.copies, 0, 0);
  inside = false;
}

static int
steps(const struct stack_copy *stack, struct frame *frames, int most)
{
  unw_cursor_t cursor;
  int n = 0;

  if (library.init_remote(&cursor, library.copies, (void *)(uintptr_t)stack) < 0)
    return 0;
  while (n < most && library.step(&cursor) > 0) {
    unw_word_t pc = 0, sp = 0;
    if (library.get_reg(&cursor, UNW_REG_IP, &pc) < 0 || pc == 0 ||
        library.get_reg(&cursor, UNW_REG_SP, &sp) < 0)
      break;
    frames[n++] = (struct frame){.pc = pc, .slot = sp - sizeof(uint64_t)};
  }
  return n;
}

int
unwind_stack(const struct stack_copy *stack, struct frame *frames, int most)
{
  if (most < 1)
    return 0;
  frames[0] = (struct frame){.pc = stack->registers->at[REG_IP]};
  if (!library.loaded)
    return 1;
  inside = true;
  int n = 1 + steps(stack, frames + 1, most - 1);
  inside = false;
  return n;
}

int
unwind_own_stack(const struct stack_copy *stack, struct frame *frames, int most)
{
  return unwind_stack(stack, frames, most);
}
