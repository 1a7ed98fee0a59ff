#include "reader_internal.h"

#include <string.h>

bool
python_is_evaluation(const struct python *p, uint64_t pc)
{
  return pc - p->evaluation.start < p->evaluation.size || pc - p->split.start < p->split.size;
}

// The target of a jump or conditional jump with an offset of 4 bytes that may begin at code[i].
static bool
jump_target(const unsigned char *code, size_t size, size_t i, uint64_t address, uint64_t *target)
{
  size_t length = code[i] == 0xe9 ? 5 : 6;
  int32_t offset;

  if (i + length > size || (length == 6 && (code[i] != 0x0f || (code[i + 1] & 0xf0) != 0x80)))
    return false;
  memcpy(&offset, code + i + length - sizeof offset, sizeof offset);
  *target = address + i + length + (uint64_t)(int64_t)offset;
  return true;
}

// Compilers move what they take for rarely run out of a function, to a piece of code that has a
// symbol of its own only in programs that are not stripped; of this function it may be nearly all,
// and what is left is small. The piece is the one that the function jumps to, and not only to its
// beginning, as it would to another function. Not all that looks like a jump is one: two must
// agree.
static void
find_split(struct python *p, uint64_t eh_frame_hdr)
{
  enum { SMALL = 8 * 1024, MOST_SEARCHES = 16 };
  const struct code_range *whole = &p->evaluation;
  size_t size = whole->size;
  struct code_range piece = {0, 0};
  uint64_t target, earlier = 0;

  if (size > SMALL || !pages_read(&p->pages, whole->start, p->scratch, size))
    return;
  for (size_t i = 0, searches = 0; i < size && searches < MOST_SEARCHES; i++) {
    if (!jump_target(p->scratch, size, i, whole->start, &target) ||
        target - whole->start < whole->size || target == piece.start)
      continue;
    if (target - piece.start < piece.size && target != earlier) {
      p->split = piece;
      return;
    }
    searches++;
    if (frame_table_find(&p->pages, eh_frame_hdr, target, &piece) && target != piece.start)
      earlier = target;
    else
      piece.size = 0;
  }
}

void
python_find_evaluation(struct python *p)
{
  const struct dynamic_symbols *module;

  p->evaluation.start =
      python_sized_symbol(p, "_PyEval_EvalFrameDefault", &p->evaluation.size, &module);
  if (p->evaluation.start && module->eh_frame_hdr)
    find_split(p, module->eh_frame_hdr);
}
