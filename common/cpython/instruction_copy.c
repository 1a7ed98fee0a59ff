#include "instruction_copy.h"

// _PyCodeArray: how many entries it has, and these. No process has more threads.
enum { WORD = sizeof(uint64_t), MOST_COPIES = 1 << 22 };

uint64_t
python_copy(const struct python_layout *layout, uint64_t code, int32_t number,
            uint64_t (*read)(void *context, uint64_t address), void *context)
{
  // The first is in the code object.
  if (number == 0)
    return code + layout->code_instructions;
  uint64_t table = read(context, code + layout->code_copies);
  uint64_t count = table ? read(context, table) : 0;
  if (number < 0 || (uint64_t)number >= count || count > MOST_COPIES)
    return 0;
  return read(context, table + WORD + (uint64_t)number * WORD);
}
