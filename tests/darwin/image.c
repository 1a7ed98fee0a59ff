#include "image.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image images[IMAGES];
int image_count;

_Noreturn void
die(const char *format, ...)
{
  va_list list;

  va_start(list, format);
  fputs("loader: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  _exit(98);
}

// Each load command, with its index in `i`.
#define FOR_EACH_COMMAND(header, command)                                                          \
  for (const struct load_command *command = (const void *)((header) + 1);                          \
       (const char *)(command) < (const char *)((header) + 1) + (header)->sizeofcmds;              \
       (command) = (const void *)((const char *)(command) + (command)->cmdsize))

static uint64_t
leb(const unsigned char **at)
{
  uint64_t value = 0;
  int shift = 0;

  do {
    value |= (uint64_t)(**at & 0x7f) << shift;
    shift += 7;
  } while (*(*at)++ & 0x80);
  return value;
}

// The opcodes of mach-o/loader.h: REBASE_OPCODE_*.
static void
rebase(const struct image *image)
{
  const unsigned char *at = image->linkedit + image->info->rebase_off;
  const unsigned char *end = at + image->info->rebase_size;
  uint64_t address = 0, count, skip;

  while (at < end) {
    int opcode = *at & 0xf0, immediate = *at & 0x0f;
    at++;
    count = 0;
    skip = 0;
    switch (opcode) {
    case 0x00: return;
    case 0x10: continue;
    case 0x20: address = image->segments[immediate].address + leb(&at); continue;
    case 0x30: address += leb(&at); continue;
    case 0x40: address += 8u * (unsigned)immediate; continue;
    case 0x50: count = (uint64_t)immediate; break;
    case 0x60: count = leb(&at); break;
    case 0x70:
      count = 1;
      skip = leb(&at);
      break;
    case 0x80:
      count = leb(&at);
      skip = leb(&at);
      break;
    default: die("%s: rebase opcode %#x is not known", image->path, (unsigned)opcode);
    }
    for (; count > 0; count--) {
      *(uint64_t *)address += image->slide;
      address += 8 + skip;
    }
  }
}

// BIND_OPCODE_*. The lazy ones have an end after each.
static void
bind_opcodes(const struct image *image, const unsigned char *at, const unsigned char *end,
             void (*bind)(const struct image *, uint64_t, const char *))
{
  const char *symbol = NULL;
  uint64_t address = 0, count, skip;

  while (at < end) {
    int opcode = *at & 0xf0, immediate = *at & 0x0f;
    at++;
    count = 0;
    skip = 0;
    switch (opcode) {
    case 0x00:
    case 0x10:
    case 0x30:
    case 0x50: continue;
    case 0x20: leb(&at); continue;
    case 0x40:
      symbol = (const char *)at;
      at += strlen(symbol) + 1;
      continue;
    case 0x60:
      if (leb(&at) != 0)
        die("%s: %s has an addend", image->path, symbol);
      continue;
    case 0x70: address = image->segments[immediate].address + leb(&at); continue;
    case 0x80: address += leb(&at); continue;
    case 0x90: count = 1; break;
    case 0xa0:
      count = 1;
      skip = leb(&at);
      break;
    case 0xb0:
      count = 1;
      skip = 8u * (unsigned)immediate;
      break;
    case 0xc0:
      count = leb(&at);
      skip = leb(&at);
      break;
    default: die("%s: bind opcode %#x is not known", image->path, (unsigned)opcode);
    }
    for (; count > 0; count--) {
      bind(image, address, symbol);
      address += 8 + skip;
    }
  }
}

void
image_bind(const struct image *image, void (*bind)(const struct image *, uint64_t, const char *))
{
  const unsigned char *first = image->linkedit + image->info->bind_off;
  const unsigned char *lazy = image->linkedit + image->info->lazy_bind_off;

  bind_opcodes(image, first, first + image->info->bind_size, bind);
  bind_opcodes(image, lazy, lazy + image->info->lazy_bind_size, bind);
}

static void
map_segments(struct image *image, const unsigned char *file)
{
  uint64_t low = UINT64_MAX, high = 0;

  FOR_EACH_COMMAND((const struct mach_header_64 *)(const void *)file, command)
  {
    const struct segment_command_64 *s = (const void *)command;
    if (command->cmd != LC_SEGMENT_64 || s->initprot == 0)  // __PAGEZERO
      continue;
    low = s->vmaddr < low ? s->vmaddr : low;
    high = s->vmaddr + s->vmsize > high ? s->vmaddr + s->vmsize : high;
  }
  unsigned char *memory = mmap(NULL, high - low, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    die("%s: %m", image->path);
  image->slide = (uint64_t)(uintptr_t)memory - low;
  FOR_EACH_COMMAND((const struct mach_header_64 *)(const void *)file, command)
  {
    const struct segment_command_64 *s = (const void *)command;
    if (command->cmd != LC_SEGMENT_64)
      continue;
    if (image->segment_count == SEGMENTS)
      die("%s: more than %d segments", image->path, SEGMENTS);
    image->segments[image->segment_count++].address = s->vmaddr + image->slide;
    if (s->initprot != 0)
      memcpy((void *)(s->vmaddr + image->slide), file + s->fileoff, s->filesize);
    if (strcmp(s->segname, SEG_TEXT) == 0) {
      image->header = (const void *)(s->vmaddr + image->slide);
      image->text_size = s->vmsize;
    }
    if (strcmp(s->segname, "__LINKEDIT") == 0)
      image->linkedit = (const unsigned char *)(s->vmaddr + image->slide - s->fileoff);
  }
}

struct image *
image_map(const char *path)
{
  struct image *image = &images[image_count++];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;

  image->path = path;
  if (fd < 0 || fstat(fd, &st) != 0)
    die("%s: %m", path);
  unsigned char *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (file == MAP_FAILED || *(uint32_t *)(void *)file != MH_MAGIC_64)
    die("%s: not a Mach-O file for one architecture", path);
  map_segments(image, file);
  munmap(file, (size_t)st.st_size);
  FOR_EACH_COMMAND(image->header, command)
  {
    const struct symtab_command *table = (const void *)command;
    if (command->cmd == (LC_DYLD_INFO_ONLY | LC_REQ_DYLD))
      image->info = (const void *)command;
    if (command->cmd == (LC_MAIN | LC_REQ_DYLD))
      image->entry = (uint64_t)(uintptr_t)image->header +
                     ((const struct entry_point_command *)(const void *)command)->entryoff;
    if (command->cmd == LC_SYMTAB) {
      image->symbols = (const void *)(image->linkedit + table->symoff);
      image->strings = (const char *)image->linkedit + table->stroff;
      image->symbol_count = table->nsyms;
    }
  }
  if (!image->info)
    die("%s: no LC_DYLD_INFO_ONLY: chained fixups are not understood", path);
  rebase(image);
  return image;
}

void *
image_make(const char *path, const char *symbol, const void *code, size_t size)
{
  struct {
    struct mach_header_64 header;
    struct segment_command_64 text;
    struct nlist_64 symbol;
    char string[64];
  } *made =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct image *image = &images[image_count++];

  if (made == MAP_FAILED)
    die("%m");
  made->header = (struct mach_header_64){
      .magic = MH_MAGIC_64, .filetype = MH_DYLIB, .ncmds = 1, .sizeofcmds = sizeof made->text};
  made->text = (struct segment_command_64){
      .cmd = LC_SEGMENT_64, .cmdsize = sizeof made->text, .segname = SEG_TEXT, .vmsize = 4096};
  made->symbol = (struct nlist_64){.n_strx = 1, .n_type = N_SECT, .n_value = sizeof *made};
  snprintf(made->string + 1, sizeof made->string - 1, "_%s", symbol);
  *image = (struct image){.path = path,
                          .header = &made->header,
                          .slide = (uint64_t)(uintptr_t)made,
                          .text_size = 4096,
                          .symbols = &made->symbol,
                          .strings = made->string,
                          .symbol_count = 1};
  return memcpy(made + 1, code, size);
}

const struct section_64 *
image_section(const struct image *image, int type, const char *name)
{
  FOR_EACH_COMMAND(image->header, command)
  {
    const struct segment_command_64 *s = (const void *)command;
    const struct section_64 *sections = (const void *)(s + 1);
    for (uint32_t i = 0; command->cmd == LC_SEGMENT_64 && i < s->nsects; i++) {
      if (name ? strncmp(sections[i].sectname, name, 16) == 0
               : (sections[i].flags & SECTION_TYPE) == (uint32_t)type)
        return &sections[i];
    }
  }
  return NULL;
}

const char *
image_symbol(const struct image *image, uint64_t address, uint64_t *begin)
{
  const struct nlist_64 *best = NULL;

  for (uint32_t i = 0; i < image->symbol_count; i++) {
    const struct nlist_64 *s = &image->symbols[i];
    if ((s->n_type & N_STAB) == 0 && (s->n_type & N_TYPE) == N_SECT &&
        s->n_value + image->slide <= address && (!best || s->n_value > best->n_value))
      best = s;
  }
  if (!best)
    return NULL;
  *begin = best->n_value + image->slide;
  return image->strings + best->n_strx + 1;  // without the underscore of C
}
