// What macOS does with DYLD_INSERT_LIBRARIES at the start of a program. For some it is dropped, and
// an inserted library is not loaded: dyld(1), "Inside Code Signing" (TN2206, TN3125). Pure: reads
// through a seam, and knows the Mach-O format by itself (mach-o/loader.h, mach-o/fat.h,
// kern/cs_blobs.h of XNU).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protection {
  PROTECTION_NONE,
  PROTECTION_SYSTEM,      // in a place that System Integrity Protection guards
  PROTECTION_HARDENED,    // the hardened runtime, without the entitlements that allow it
  PROTECTION_RESTRICTED,  // a __RESTRICT segment, or signed so
  PROTECTION_ARM64E,      // arm64e alone: dyld refuses to start it with a library that is not
  PROTECTION_FOREIGN,     // not for this machine
};

// As in the header of a Mach-O file.
enum protection_cpu { PROTECTION_X86_64 = 0x01000007, PROTECTION_ARM64 = 0x0100000c };

// Copies up to `length` bytes at `offset` of a file; returns how many there are.
struct protection_file {
  size_t (*read)(void *context, uint64_t offset, void *to, size_t length);
  void *context;
};

// By the path alone, which should be absolute and without links.
enum protection protection_of_path(const char *path);

// By the file, on a machine with this processor. A file that is no Mach-O file is not protected.
enum protection protection_of_file(const struct protection_file *file, enum protection_cpu cpu);

// The interpreter of a script, from its first line; false where it is none, or too long.
bool protection_interpreter(const struct protection_file *file, char *path, size_t size);

// In words for a person; NULL for PROTECTION_NONE.
const char *protection_why(enum protection protection);
