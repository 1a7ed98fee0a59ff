#include "elf_dynamic_symbols.h"

#include <elf.h>
#include <string.h>

enum { MOST_SEGMENTS = 64, MOST_DYNAMIC = 256, MOST_CHAIN = 4096, MOST_NAME = 64 };

// The dynamic linker relocates these entries in place, but not in modules whose dynamic section is
// read-only (glibc: elf/get-dynamic-info.h, DL_RO_DYN_SECTION).
static uint64_t
relocated(uint64_t base, uint64_t value)
{
  return value < base ? base + value : value;
}

static void
read_dynamic(struct dynamic_symbols *module, struct pages *pages, uint64_t at)
{
  for (int i = 0; i < MOST_DYNAMIC; i++, at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!pages_read(pages, at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
      return;
    uint64_t address = relocated(module->base, entry.d_un.d_ptr);
    if (entry.d_tag == DT_GNU_HASH)
      module->hash = address;
    else if (entry.d_tag == DT_SYMTAB)
      module->symbols = address;
    else if (entry.d_tag == DT_STRTAB)
      module->strings = address;
  }
}

bool
dynamic_symbols_open(struct dynamic_symbols *module, struct pages *pages, uint64_t start)
{
  Elf64_Ehdr header;
  uint64_t dynamic = 0;
  bool based = false;

  memset(module, 0, sizeof *module);
  if (!pages_read(pages, start, &header, sizeof header) ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > MOST_SEGMENTS)
    return false;
  for (int i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr segment;
    if (!pages_read(pages, start + header.e_phoff + (uint64_t)i * sizeof segment, &segment,
                    sizeof segment))
      return false;
    if (segment.p_type == PT_LOAD && !based) {
      module->base = start - (segment.p_vaddr & ~(PAGE_BYTES - 1ul));
      based = true;
    } else if (segment.p_type == PT_DYNAMIC) {
      dynamic = segment.p_vaddr;
    } else if (segment.p_type == PT_GNU_EH_FRAME && based) {
      module->eh_frame_hdr = module->base + segment.p_vaddr;
    }
  }
  if (!based || !dynamic)
    return false;
  read_dynamic(module, pages, module->base + dynamic);
  return module->hash && module->symbols && module->strings;
}

static uint32_t
hash_of(const char *name)
{
  uint32_t hash = 5381;

  for (; *name; name++)
    hash = hash * 33 + (unsigned char)*name;
  return hash;
}

static bool
is_named(const struct dynamic_symbols *module, struct pages *pages, const Elf64_Sym *symbol,
         const char *name)
{
  char text[MOST_NAME];
  size_t length = strlen(name) + 1;

  return length <= sizeof text &&
         pages_read(pages, module->strings + symbol->st_name, text, length) &&
         memcmp(text, name, length) == 0;
}

// The table (binutils: bfd/elflink.c): four words, a Bloom filter of 64-bit words, a bucket for
// each remainder, and the hashes of all symbols from symbol_offset on; the lowest bit ends a chain.
uint64_t
dynamic_symbol(const struct dynamic_symbols *module, struct pages *pages, const char *name,
               uint64_t *size)
{
  struct {
    uint32_t buckets, symbol_offset, bloom_words, bloom_shift;
  } table;
  uint32_t hash = hash_of(name), i, chained;
  uint64_t word;

  if (!pages_read(pages, module->hash, &table, sizeof table) || !table.buckets ||
      !table.bloom_words)
    return 0;
  uint64_t bloom = module->hash + sizeof table;
  if (!pages_read(pages, bloom + hash / 64 % table.bloom_words * 8ul, &word, sizeof word) ||
      !(word >> hash % 64 & word >> (hash >> (table.bloom_shift & 31)) % 64 & 1))
    return 0;
  uint64_t buckets = bloom + table.bloom_words * 8ul;
  uint64_t chains = buckets + table.buckets * 4ul;
  if (!pages_read(pages, buckets + hash % table.buckets * 4ul, &i, sizeof i) ||
      i < table.symbol_offset)
    return 0;
  for (int step = 0; step < MOST_CHAIN; step++, i++) {
    Elf64_Sym symbol;
    if (!pages_read(pages, chains + (i - table.symbol_offset) * 4ul, &chained, sizeof chained))
      return 0;
    if ((chained | 1) == (hash | 1) &&
        pages_read(pages, module->symbols + i * sizeof symbol, &symbol, sizeof symbol) &&
        symbol.st_shndx != SHN_UNDEF && is_named(module, pages, &symbol, name)) {
      *size = symbol.st_size;
      return module->base + symbol.st_value;
    }
    if (chained & 1)
      break;
  }
  return 0;
}
