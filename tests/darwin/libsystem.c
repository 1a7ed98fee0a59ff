#include "libsystem_parts.h"

#include "fake_mach.h"
#include "image.h"

#include <libunwind.h>
#include <mach/mach.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *libsystem_program;
static void *pause_stub;

void
libsystem_expect_all_run(const char *function)
{
  if (!fake_mach_all_run())
    die("%s() is called with threads suspended", function);
}

static void
not_there(void)
{
  die("a function is called that the loader does not have");
}

// What is the same in both, or is in fake_mach.c and fake_unwind.c.
static const struct libsystem_entry same[] = {
    ENTRY("_fflush", fflush),
    ENTRY("_getenv", getenv),
    ENTRY("_mach_port_deallocate", mach_port_deallocate),
    ENTRY("_memcmp", memcmp),
    ENTRY("_memcpy", memcpy),
    ENTRY("_memmove", memmove),
    ENTRY("_memset", memset),
    ENTRY("_snprintf", snprintf),
    ENTRY("_strchr", strchr),
    ENTRY("_strcmp", strcmp),
    ENTRY("_strcspn", strcspn),
    ENTRY("_strlen", strlen),
    ENTRY("_strncmp", strncmp),
    ENTRY("_strncpy", strncpy),
    ENTRY("_strnlen", strnlen),
    ENTRY("_strrchr", strrchr),
    ENTRY("_strspn", strspn),
    ENTRY("_strstr", strstr),
    ENTRY("_strtol", strtol),
    ENTRY("_task_threads", task_threads),
    ENTRY("_thread_get_state", thread_get_state),
    ENTRY("_thread_info", thread_info),
    ENTRY("_thread_resume", thread_resume),
    ENTRY("_thread_suspend", thread_suspend),
    ENTRY("_unw_get_reg", unw_get_reg),
    ENTRY("_unw_getcontext", unw_getcontext),
    ENTRY("_unw_init_local", unw_init_local),
    ENTRY("_unw_step", unw_step),
    ENTRY("_vm_deallocate", vm_deallocate),
    ENTRY("_vm_read_overwrite", vm_read_overwrite),
    ENTRY("_vsnprintf", vsnprintf),
    {NULL, NULL},
};

// Bound, but called by no test.
static const struct libsystem_entry missing[] = {
    ENTRY("__tlv_bootstrap", not_there),
    ENTRY("_daemon", not_there),
    ENTRY("_daemon$1050", not_there),
    ENTRY("_execl", not_there),
    ENTRY("_execle", not_there),
    ENTRY("_execlp", not_there),
    ENTRY("_execv", not_there),
    ENTRY("dyld_stub_binder", not_there),
    {NULL, NULL},
};

void *
libsystem_find(const char *symbol)
{
  const struct libsystem_entry *const tables[] = {same,
                                                  libsystem_files,
                                                  libsystem_signals,
                                                  libsystem_images,
                                                  libsystem_threads,
                                                  libsystem_processes,
                                                  missing};

  if (strcmp(symbol, "_pause") == 0)
    return pause_stub;
  for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
    for (const struct libsystem_entry *e = tables[t]; e->symbol; e++) {
      if (strcmp(e->symbol, symbol) == 0)
        return e->address;
    }
  }
  die("%s is in none of the libsystem files", symbol);
}

void
libsystem_start(const char *program)
{
  libsystem_program = program;
  pause_stub = libsystem_start_threads();
}
