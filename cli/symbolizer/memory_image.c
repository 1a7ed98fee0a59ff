#include "memory_image.h"
#include "base/message.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEGMENTS = 64, MOST_BYTES = 32 << 20, PIECE = 64 << 10 };

struct plan {
  Elf64_Ehdr header;
  Elf64_Phdr segments[MOST_SEGMENTS];
  uint64_t first, size;  // of the addresses in the file; of the image
};

static bool
is_ours(const Elf64_Ehdr *header)
{
  return !memcmp(header->e_ident, ELFMAG, SELFMAG) && header->e_ident[EI_CLASS] == ELFCLASS64 &&
         header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_phentsize == sizeof(Elf64_Phdr) &&
         header->e_phnum <= MOST_SEGMENTS && header->e_phoff < MOST_BYTES;
}

static bool
make_plan(struct plan *plan, uint64_t base, read_memory read)
{
  bool any = false;
  if (!read(base, &plan->header, sizeof plan->header) || !is_ours(&plan->header) ||
      !read(base + plan->header.e_phoff, plan->segments,
            plan->header.e_phnum * sizeof *plan->segments))
    return false;
  plan->size = sizeof plan->header;
  for (size_t i = 0; i < plan->header.e_phnum; i++) {
    const Elf64_Phdr *segment = &plan->segments[i];
    if (segment->p_type != PT_LOAD)
      continue;
    if (segment->p_offset > MOST_BYTES || segment->p_filesz > MOST_BYTES - segment->p_offset)
      return false;
    if (!any)
      plan->first = segment->p_vaddr - segment->p_offset;
    any = true;
    uint64_t end = segment->p_offset + segment->p_filesz;
    plan->size = end > plan->size ? end : plan->size;
  }
  return any;
}

// What cannot be read stays zero.
static void
read_segment(const Elf64_Phdr *segment, uint64_t bias, read_memory read, unsigned char *image)
{
  for (uint64_t done = 0; done < segment->p_filesz; done += PIECE) {
    uint64_t left = segment->p_filesz - done;
    read(bias + segment->p_vaddr + done, image + segment->p_offset + done,
         left < PIECE ? left : PIECE);
  }
}

Elf *
memory_image(uint64_t base, read_memory read, void **bytes)
{
  struct plan plan = {0};
  if (!make_plan(&plan, base, read))
    return NULL;
  unsigned char *image = calloc(1, plan.size);
  for (size_t i = 0; image && i < plan.header.e_phnum; i++)
    if (plan.segments[i].p_type == PT_LOAD)
      read_segment(&plan.segments[i], base - plan.first, read, image);
  if (!image)
    return NULL;
  uint64_t sections = plan.header.e_shoff;
  if (sections >= plan.size ||
      plan.size - sections < (uint64_t)plan.header.e_shnum * plan.header.e_shentsize)
    plan.header.e_shoff = plan.header.e_shnum = plan.header.e_shstrndx = 0;
  memcpy(image, &plan.header, sizeof plan.header);
  Elf *elf = elf_memory((char *)image, plan.size);
  if (elf)
    *bytes = image;
  else
    free(image);
  return elf;
}
