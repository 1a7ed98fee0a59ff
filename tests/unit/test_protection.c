#include "common/binary/macho_protection.h"

#include <criterion/criterion.h>
#include <string.h>

// A file in memory, which grows by what is put into it.
static unsigned char bytes[8192];
static size_t length;

static size_t
read_bytes(void *context, uint64_t offset, void *to, size_t size)
{
  (void)context;
  size_t n = offset < length ? length - (size_t)offset : 0;

  n = n < size ? n : size;
  memcpy(to, bytes + (n ? offset : 0), n);
  return n;
}

static const struct protection_file file = {read_bytes, NULL};

static void
put_little(size_t at, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    bytes[at + (size_t)i] = (unsigned char)(value >> 8 * i);
  length = at + 4 > length ? at + 4 : length;
}

static void
put_big(size_t at, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    bytes[at + (size_t)i] = (unsigned char)(value >> 8 * (3 - i));
  length = at + 4 > length ? at + 4 : length;
}

enum { CODE_DIRECTORY = 0xfade0c02, ENTITLEMENTS = 0xfade7171, SUPERBLOB = 0xfade0cc0 };

// A program at `at` with one segment and a signature with these flags; entitlements: NULL for none.
static void
put_program(size_t at, uint32_t cpu, uint32_t subtype, const char *segment, uint32_t flags,
            const char *entitlements)
{
  size_t signature = 1024;

  put_little(at, 0xfeedfacf);
  put_little(at + 4, cpu);
  put_little(at + 8, subtype);
  put_little(at + 12, 2);
  put_little(at + 16, 2);
  put_little(at + 20, 72 + 16);
  put_little(at + 32, 0x19);
  put_little(at + 36, 72);
  strncpy((char *)bytes + at + 40, segment, 16);
  put_little(at + 104, 0x1d);
  put_little(at + 108, 16);
  put_little(at + 112, (uint32_t)signature);
  put_little(at + 116, 2048);
  put_big(at + signature, SUPERBLOB);
  put_big(at + signature + 8, entitlements ? 2 : 1);
  put_big(at + signature + 12 + 4, 64);
  put_big(at + signature + 64, CODE_DIRECTORY);
  put_big(at + signature + 64 + 12, flags);
  if (!entitlements)
    return;
  put_big(at + signature + 20, 5);
  put_big(at + signature + 20 + 4, 128);
  put_big(at + signature + 128, ENTITLEMENTS);
  put_big(at + signature + 132, (uint32_t)strlen(entitlements) + 8);
  memcpy(bytes + at + signature + 136, entitlements, strlen(entitlements));
  length = at + signature + 136 + strlen(entitlements);
}

static void
expect(enum protection_cpu machine, enum protection expected, const char *what)
{
  cr_expect_eq(protection_of_file(&file, machine), expected, "%s", what);
}

Test(protection, places_of_the_system)
{
  cr_expect_eq(protection_of_path("/bin/sh"), PROTECTION_SYSTEM);
  cr_expect_eq(protection_of_path("/usr/bin/env"), PROTECTION_SYSTEM);
  cr_expect_eq(protection_of_path("/System/Library/x"), PROTECTION_SYSTEM);
  cr_expect_eq(protection_of_path("/usr/local/bin/python3"), PROTECTION_NONE);
  cr_expect_eq(protection_of_path("/opt/homebrew/bin/python3"), PROTECTION_NONE);
  cr_expect_eq(protection_of_path("/binary/app"), PROTECTION_NONE);
  cr_expect_eq(protection_of_path("bin/sh"), PROTECTION_NONE);
}

Test(protection, a_plain_program)
{
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 2, NULL);
  expect(PROTECTION_ARM64, PROTECTION_NONE, "arm64 on arm64");
  expect(PROTECTION_X86_64, PROTECTION_FOREIGN, "arm64 on x86-64");
  put_program(0, PROTECTION_X86_64, 3, "__TEXT", 2, NULL);
  expect(PROTECTION_X86_64, PROTECTION_NONE, "x86-64 on x86-64");
  expect(PROTECTION_ARM64, PROTECTION_NONE, "x86-64, translated");
}

Test(protection, the_hardened_runtime)
{
  static const char both[] =
      "<plist><dict>\n"
      "<key>com.apple.security.cs.allow-dyld-environment-variables</key>\n\t<true/>\n"
      "<key>com.apple.security.cs.disable-library-validation</key><true/>\n</dict></plist>";
  static const char one[] =
      "<key>com.apple.security.cs.allow-dyld-environment-variables</key><true/>";
  static const char refused[] =
      "<key>com.apple.security.cs.allow-dyld-environment-variables</key><false/>"
      "<key>com.apple.security.cs.disable-library-validation</key><true/>";

  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, NULL);
  expect(PROTECTION_ARM64, PROTECTION_HARDENED, "no entitlements");
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, both);
  expect(PROTECTION_ARM64, PROTECTION_NONE, "both entitlements");
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, one);
  expect(PROTECTION_ARM64, PROTECTION_HARDENED, "one entitlement");
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, refused);
  expect(PROTECTION_ARM64, PROTECTION_HARDENED, "one is false");
}

Test(protection, an_entitlement_across_two_windows)
{
  static char list[3000];
  static const char keys[] =
      "<key>com.apple.security.cs.allow-dyld-environment-variables</key><true/>"
      "<key>com.apple.security.cs.disable-library-validation</key><true/>";

  for (size_t before = 400; before < 1200; before += 7) {
    memset(list, ' ', before);
    strcpy(list + before, keys);
    memset(bytes, 0, sizeof bytes);
    length = 0;
    put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, list);
    cr_expect_eq(protection_of_file(&file, PROTECTION_ARM64), PROTECTION_NONE, "%zu before",
                 before);
  }
}

Test(protection, restricted_programs)
{
  put_program(0, PROTECTION_ARM64, 0, "__RESTRICT", 2, NULL);
  expect(PROTECTION_ARM64, PROTECTION_RESTRICTED, "segment");
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x802, NULL);
  expect(PROTECTION_ARM64, PROTECTION_RESTRICTED, "flag");
}

Test(protection, arm64e)
{
  put_program(0, PROTECTION_ARM64, 0x80000002, "__TEXT", 2, NULL);
  expect(PROTECTION_ARM64, PROTECTION_ARM64E, "alone");
}

static void
put_slice(size_t at, uint32_t cpu, uint32_t subtype, uint32_t offset)
{
  put_big(at, cpu);
  put_big(at + 4, subtype);
  put_big(at + 8, offset);
  put_big(at + 12, 1500);
}

Test(protection, of_several_slices_that_of_the_machine)
{
  put_program(2048, PROTECTION_X86_64, 3, "__TEXT", 2, NULL);
  put_program(4096, PROTECTION_ARM64, 0, "__TEXT", 0x10000, NULL);
  put_big(0, 0xcafebabe);
  put_big(4, 2);
  put_slice(8, PROTECTION_X86_64, 3, 2048);
  put_slice(28, PROTECTION_ARM64, 0, 4096);
  expect(PROTECTION_X86_64, PROTECTION_NONE, "x86-64");
  expect(PROTECTION_ARM64, PROTECTION_HARDENED, "arm64");
}

Test(protection, what_is_no_program)
{
  expect(PROTECTION_ARM64, PROTECTION_NONE, "empty");
  memcpy(bytes, "\177ELF\2\1\1", 7);
  length = 64;
  expect(PROTECTION_ARM64, PROTECTION_NONE, "ELF");
  put_big(0, 0xcafebabe);
  put_big(4, 52);
  expect(PROTECTION_ARM64, PROTECTION_NONE, "a Java class");
}

// Whatever a file holds is read without a fault, and comes to an end.
Test(protection, cut_and_broken_files)
{
  put_program(0, PROTECTION_ARM64, 0, "__TEXT", 0x10000, "<key>a</key><true/>");
  size_t whole = length;
  for (size_t n = 0; n < whole; n += 3) {
    length = n;
    protection_of_file(&file, PROTECTION_ARM64);
  }
  length = whole;
  for (size_t i = 0; i < 160; i++) {
    unsigned char saved = bytes[i];
    bytes[i] = 0xff;
    protection_of_file(&file, PROTECTION_ARM64);
    bytes[i] = saved;
  }
}

Test(protection, scripts)
{
  char path[32];

  strcpy((char *)bytes, "#! /usr/bin/env python3\n");
  length = strlen((char *)bytes);
  cr_expect(protection_interpreter(&file, path, sizeof path));
  cr_expect_str_eq(path, "/usr/bin/env");
  strcpy((char *)bytes, "#!\n");
  length = 3;
  cr_expect_not(protection_interpreter(&file, path, sizeof path));
  strcpy((char *)bytes, "#!/usr/bin/env");  // cut: it may be longer
  length = strlen((char *)bytes);
  cr_expect_not(protection_interpreter(&file, path, sizeof path));
  strcpy((char *)bytes, "#!/a/path/that/is/longer/than/there/is/room/for\n");
  length = strlen((char *)bytes);
  cr_expect_not(protection_interpreter(&file, path, sizeof path));
}

Test(protection, each_has_its_words)
{
  cr_expect_null(protection_why(PROTECTION_NONE));
  for (enum protection p = PROTECTION_SYSTEM; p <= PROTECTION_FOREIGN; p++)
    cr_expect_not_null(protection_why(p));
}
