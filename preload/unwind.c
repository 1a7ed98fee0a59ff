#include "unwind.h"

#include "interpose.h"

#include <dlfcn.h>
#include <libunwind.h>
#include <string.h>

// Loaded with dlopen(): libunwind must not enter the program's global scope, and a single-threaded
// program must never load it. The names are those the macros of libunwind.h expand to.
static struct {
  bool tried, loaded;
  unw_addr_space_t local;
  unw_accessors_t *local_accessors;
  unw_addr_space_t copies;
  int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
  int (*step)(unw_cursor_t *);
  int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
  void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
} library;

static const struct modules *modules;
// Set while libunwind starts: it opens a pipe to test addresses of the live process, which we never
// give it, and would keep the two descriptors in the program.
static __thread bool starting;

FH_EXPORT int
pipe2(int fds[2], int flags)
{
  if (starting)
    return -1;
  fh_real_resolve();
  return fh_real.pipe2(fds, flags);
}

static int
find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need,
               void *argument)
{
  (void)space;
  return library.local_accessors->find_proc_info(library.local, ip, info, need, argument);
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
  if (!modules_readable(modules, address, sizeof *value))
    return -UNW_EINVAL;
  memcpy(value, (const void *)address, sizeof *value);
  return 0;
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
  starting = true;
  library.local = *local;
  library.local_accessors = get_accessors(library.local);
  library.copies = create(&accessors, 0);
  struct registers none = {{0}};
  struct stack_copy empty = {.registers = &none};
  unw_cursor_t cursor;
  (void)library.init_remote(&cursor, library.copies, &empty);
  starting = false;
  if (!library.copies)
    return false;
  set_caching(library.copies, UNW_CACHE_GLOBAL);
  library.loaded = true;
  return true;
}

void
unwind_begin(const struct modules *current)
{
  modules = current;
  if (library.loaded)
    library.flush_cache(library.copies, 0, 0);
}

int
unwind_stack(const struct stack_copy *stack, struct frame *frames, int most)
{
  unw_cursor_t cursor;
  unw_word_t sp = 0;
  int n = 0;

  if (most < 1)
    return 0;
  frames[n++] = (struct frame){.pc = stack->registers->at[REG_IP]};
  if (!library.loaded || library.init_remote(&cursor, library.copies, (void *)(uintptr_t)stack) < 0)
    return n;
  while (n < most && library.step(&cursor) > 0) {
    unw_word_t pc = 0;
    if (library.get_reg(&cursor, UNW_REG_IP, &pc) < 0 || pc == 0 ||
        library.get_reg(&cursor, UNW_REG_SP, &sp) < 0)
      break;
    frames[n++] = (struct frame){.pc = pc, .slot = sp - sizeof(uint64_t)};
  }
  return n;
}
