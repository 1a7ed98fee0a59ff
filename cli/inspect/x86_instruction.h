// What an x86-64 instruction of a wait loop does to memory.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_REGISTER = -1, REGISTER_RIP = 16 };

struct instruction {
  bool syscall, pause;
  bool memory;      // it reads or writes the word at its operand; not set for push, call, ret
  bool stores;      // it only writes there
  bool locked;      // it reads and writes there at once
  int base, index;  // numbers of the instruction set, or of the above
  unsigned scale;
  int64_t displacement;
  char segment;  // 'f', 'g' or 0
  unsigned length;
};

// False for an instruction that has no place in a loop that only waits: floating point, vectors,
// strings, the time stamp counter, other system instructions; for fewer bytes than it needs; and
// for all where there is no disassembler (libcapstone, loaded at the first call).
bool instruction_decode(const uint8_t *code, size_t length, struct instruction *instruction);
