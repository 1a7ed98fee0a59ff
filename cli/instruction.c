#include "instruction.h"

#include <string.h>

/* Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 (formats) and
   appendix A (opcode maps). */

struct bytes {
  const uint8_t *at, *end;
};

static int
next(struct bytes *bytes)
{
  return bytes->at < bytes->end ? *bytes->at++ : -1;
}

struct prefixes {
  uint8_t rex;
  bool lock, repeat;
  bool size; /* or another that makes a different instruction of some opcodes */
  char segment;
};

/* The first byte that is no prefix, or -1. */
static int
skip_prefixes(struct bytes *bytes, struct prefixes *prefixes)
{
  for (;;) {
    int byte = next(bytes);
    switch (byte) {
    case 0x64: prefixes->segment = 'f'; continue;
    case 0x65: prefixes->segment = 'g'; continue;
    case 0xf0: prefixes->lock = true; continue;
    case 0xf3: prefixes->repeat = true; continue;
    case 0x66:
    case 0xf2: prefixes->size = true; continue;
    case 0x2e: /* ignored in 64-bit mode, or a branch hint */
    case 0x3e: continue;
    default:
      if (byte < 0x40 || byte > 0x4f)
        return byte;
      prefixes->rex = (uint8_t)byte;
      return next(bytes);
    }
  }
}

static bool
read_displacement(struct bytes *bytes, size_t size, int32_t *displacement)
{
  uint8_t raw[4] = {0};
  for (size_t i = 0; i < size; i++) {
    int byte = next(bytes);
    if (byte < 0)
      return false;
    raw[i] = (uint8_t)byte;
  }
  if (size == 1)
    *displacement = raw[0] < 0x80 ? raw[0] : raw[0] - 0x100;
  else
    memcpy(displacement, raw, sizeof raw);
  return true;
}

/* The ModRM byte and what belongs to it. */
static bool
read_operand(struct bytes *bytes, const struct prefixes *prefixes, struct instruction *to, int *reg)
{
  int modrm = next(bytes);
  if (modrm < 0)
    return false;
  int mod = modrm >> 6, rm = modrm & 7;
  *reg = modrm >> 3 & 7;
  if (mod == 3)
    return true;
  to->memory = true;
  to->base = rm | (prefixes->rex & 1) << 3;
  if (rm == 4) {
    int sib = next(bytes);
    if (sib < 0)
      return false;
    to->scale = 1u << (sib >> 6);
    to->index = (sib >> 3 & 7) | (prefixes->rex & 2) << 2;
    if (to->index == 4)
      to->index = NO_REGISTER;
    to->base = (sib & 7) | (prefixes->rex & 1) << 3;
    rm = sib & 7;
    if (rm == 5 && mod == 0)
      to->base = NO_REGISTER;
  } else if (rm == 5 && mod == 0) {
    to->base = REGISTER_RIP;
  }
  size_t size = mod == 1 ? 1 : mod == 2 || (rm == 5 && mod == 0) ? 4 : 0;
  return read_displacement(bytes, size, &to->displacement);
}

/* Two-byte opcodes. */
static bool
decode_extended(struct bytes *bytes, const struct prefixes *prefixes, struct instruction *to)
{
  int opcode = next(bytes), reg;
  if (opcode == 0x05) {
    to->syscall = true;
    return true;
  }
  if (opcode >= 0x80 && opcode <= 0x8f) { /* jcc */
    to->branch = true;
    return true;
  }
  switch (opcode) {
  case 0x0d: /* prefetch, nop, endbr64 */
  case 0x18:
  case 0x1e:
  case 0x1f:
    if (!read_operand(bytes, prefixes, to, &reg))
      return false;
    to->memory = false;
    return true;
  case 0xae: /* fences; with memory: states of the processor */
    return read_operand(bytes, prefixes, to, &reg) && !to->memory && reg >= 5 &&
           !prefixes->repeat && !prefixes->size;
  case 0xc7: /* cmpxchg8b, cmpxchg16b */
    return read_operand(bytes, prefixes, to, &reg) && to->memory && reg == 1;
  case 0xa3: /* bt, bts, btr, btc, imul */
  case 0xab:
  case 0xaf:
  case 0xb0: /* cmpxchg */
  case 0xb1:
  case 0xb3:
  case 0xb6: /* movzx, movsx */
  case 0xb7:
  case 0xba:
  case 0xbb:
  case 0xbe:
  case 0xbf:
  case 0xc0: /* xadd */
  case 0xc1: return read_operand(bytes, prefixes, to, &reg);
  default:
    to->stores = opcode >= 0x90 && opcode <= 0x9f; /* setcc */
    return (to->stores || (opcode >= 0x40 && opcode <= 0x4f /* cmovcc */)) &&
           read_operand(bytes, prefixes, to, &reg);
  }
}

/* One-byte opcodes without a ModRM byte. */
static bool
is_simple(int opcode, struct instruction *to)
{
  to->branch = (opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3) ||
               opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb || opcode == 0xc2 ||
               opcode == 0xc3;
  return to->branch || (opcode < 0x40 && ((opcode & 7) == 4 || (opcode & 7) == 5)) ||
         (opcode >= 0x50 && opcode <= 0x5f) || opcode == 0x68 || opcode == 0x6a ||
         (opcode >= 0x90 && opcode <= 0x99) || opcode == 0xa8 || opcode == 0xa9 ||
         (opcode >= 0xb0 && opcode <= 0xbf) || opcode == 0xc9;
}

static bool
decode_short(int opcode, struct bytes *bytes, const struct prefixes *prefixes,
             struct instruction *to)
{
  int reg;
  if (is_simple(opcode, to)) {
    to->pause = opcode == 0x90 && prefixes->repeat;
    return true;
  }
  bool arithmetic = opcode >= 0 && opcode < 0x40 && (opcode & 7) < 4;
  switch (opcode) {
  case 0x86: /* xchg locks by itself */
  case 0x87: to->locked = true; break;
  case 0x88: /* mov to memory */
  case 0x89:
  case 0xc6:
  case 0xc7: to->stores = true; break;
  case 0x63:
  case 0x69:
  case 0x6b:
  case 0x80:
  case 0x81:
  case 0x83:
  case 0x84:
  case 0x85:
  case 0x8a:
  case 0x8b:
  case 0x8d:
  case 0xc0:
  case 0xc1:
  case 0xd0:
  case 0xd1:
  case 0xd2:
  case 0xd3:
  case 0xf6:
  case 0xf7:
  case 0xfe:
  case 0xff: break;
  default:
    if (!arithmetic)
      return false;
  }
  if (!read_operand(bytes, prefixes, to, &reg))
    return false;
  if ((opcode == 0xc6 || opcode == 0xc7) && reg != 0) /* xabort, xbegin */
    return false;
  if (opcode == 0x8d) /* lea */
    to->memory = false;
  to->branch = opcode == 0xff && (reg == 2 || reg == 4);
  return opcode != 0xff || (reg != 3 && reg != 5); /* far calls and jumps */
}

bool
instruction_decode(const uint8_t *code, size_t length, struct instruction *instruction)
{
  struct bytes bytes = {code, code + length};
  struct prefixes prefixes = {0};
  *instruction = (struct instruction){.base = NO_REGISTER, .index = NO_REGISTER};
  int opcode = skip_prefixes(&bytes, &prefixes);
  bool fit = opcode == 0x0f ? decode_extended(&bytes, &prefixes, instruction)
                            : decode_short(opcode, &bytes, &prefixes, instruction);
  if (!fit)
    return false;
  instruction->locked = instruction->memory && (instruction->locked || prefixes.lock);
  instruction->segment = prefixes.segment;
  instruction->length = (unsigned char)(bytes.at - code);
  return true;
}
