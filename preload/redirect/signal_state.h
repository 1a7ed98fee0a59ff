// The signal mask and the dispositions around a fork in borrowed memory.
#pragma once

#include <stdint.h>

struct borrow;

static inline uint64_t
signal_bit(int number)
{
  return 1ul << (number - 1);
}

// All signals, of which the kernel leaves out those that nobody may block. Returns the mask before.
uint64_t signals_block(void);
void signals_restore(uint64_t mask);

// In the parent: reads the dispositions.
void signals_read(struct borrow *b);
// In a process of its own: the dispositions that the program expects, and the signals that were
// caught meanwhile.
void signals_give_back(const struct borrow *b);
