// What dyld says of images and of the process.
#include "libsystem_parts.h"

#include "image.h"

#include <mach/mach.h>

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint32_t
image_count_(void)
{
  libsystem_expect_all_run("_dyld_image_count");
  return (uint32_t)image_count;
}

static const void *
image_header_(uint32_t i)
{
  return i < (uint32_t)image_count ? images[i].header : NULL;
}

static const char *
image_name_(uint32_t i)
{
  return i < (uint32_t)image_count ? images[i].path : NULL;
}

static int
dladdr_(const void *address, Dl_info *info)
{
  uint64_t at = (uint64_t)(uintptr_t)address, begin = 0;

  libsystem_expect_all_run("dladdr");
  for (int i = 0; i < image_count; i++) {
    uint64_t low = (uint64_t)(uintptr_t)images[i].header;
    if (at < low || at >= low + images[i].text_size)
      continue;
    const char *name = image_symbol(&images[i], at, &begin);
    *info = (Dl_info){images[i].path, (void *)low, name, (void *)begin};
    return 1;
  }
  return 0;
}

static int
executable_path(char *to, uint32_t *size)
{
  if (strlen(libsystem_program) >= *size)
    return -1;
  strcpy(to, libsystem_program);
  return 0;
}

static char ***
environ_address(void)
{
  return &environ;
}

static int
issetugid_(void)
{
  return 0;
}

static int
sysctlbyname_(const char *name, void *old, size_t *size, void *new, size_t new_size)
{
  (void)name;
  (void)old;
  (void)size;
  (void)new;
  (void)new_size;
  libsystem_errno = ENOENT;
  return -1;
}

const struct libsystem_entry libsystem_images[] = {
    ENTRY("__NSGetEnviron", environ_address),
    ENTRY("__NSGetExecutablePath", executable_path),
    ENTRY("__dyld_get_image_header", image_header_),
    ENTRY("__dyld_get_image_name", image_name_),
    ENTRY("__dyld_image_count", image_count_),
    ENTRY("_dladdr", dladdr_),
    ENTRY("_issetugid", issetugid_),
    ENTRY("_mach_task_self_", &mach_task_self_),
    ENTRY("_sysctlbyname", sysctlbyname_),
    {NULL, NULL},
};
