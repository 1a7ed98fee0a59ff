#include "common/binary/elf_section.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int in_a_section __attribute__((section(".PyRuntime"), used)) = 1;

extern const char __ehdr_start[];  // the linker's: where this program's file is mapped

static void
read_file(void *context, const uint64_t *offsets, size_t length, int count, void *to, bool *there)
{
  const int *fd = context;

  for (int i = 0; i < count; i++)
    there[i] = pread(*fd, (unsigned char *)to + (size_t)i * length, length, (off_t)offsets[i]) ==
               (ssize_t)length;
}

Test(elf_section, of_this_program)
{
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct pages_source file = {.read = read_file, .context = &fd};

  cr_assert_geq(fd, 0);
  cr_assert_eq((uint64_t)(uintptr_t)__ehdr_start + elf_section(&file, ".PyRuntime"),
               (uint64_t)(uintptr_t)&in_a_section);
  cr_assert_eq(elf_section(&file, ".PyRuntim"), 0);
  cr_assert_eq(elf_section(&file, "PyRuntime"), 0);
  cr_assert_eq(elf_section(&file, ".absent"), 0);
  close(fd);
  cr_assert_eq(elf_section(&file, ".PyRuntime"), 0);
}
