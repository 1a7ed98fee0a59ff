// Mach-O files in the memory of a Linux process.
#pragma once

#include <mach-o/loader.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEGMENTS = 8, IMAGES = 8 };

struct image {
  const char *path;
  const struct mach_header_64 *header;  // mapped
  uint64_t slide, text_size;
  struct {
    uint64_t address;  // mapped
  } segments[SEGMENTS];
  int segment_count;
  const struct dyld_info_command *info;
  const unsigned char *linkedit;  // what file offset 0 would be, for the data of `info`
  const struct nlist_64 *symbols;
  const char *strings;
  uint32_t symbol_count;
  uint64_t entry;  // of LC_MAIN, mapped
};

// Those that dyld knows, in its order.
extern struct image images[IMAGES];
extern int image_count;

// Maps an x86-64 file with one architecture; ends the process with a line on stderr where it
// cannot. Pointers are slid; nothing is bound.
struct image *image_map(const char *path);

// A made-up image of a system library: its code is copied behind a header, with one symbol.
void *image_make(const char *path, const char *symbol, const void *code, size_t size);

// Calls bind(image, address, symbol) for each word that dyld would bind.
void image_bind(const struct image *image,
                void (*bind)(const struct image *image, uint64_t address, const char *symbol));

// The section that has this type, or this name; NULL where there is none. Addresses in it are
// without the slide.
const struct section_64 *image_section(const struct image *image, int type, const char *name);

// The last symbol that is not above the address, and where it begins; NULL where there is none.
const char *image_symbol(const struct image *image, uint64_t address, uint64_t *begin);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
