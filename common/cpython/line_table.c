#include "line_table.h"

enum {
  NO_LINE = -128,  // in the table of 3.10
  INSTRUCTION = 2  // bytes of one
};

// Lines of broken tables wrap around instead of overflowing.
static int
add(int line, int difference)
{
  return (int)((unsigned int)line + (unsigned int)difference);
}

static int
signed_byte(unsigned char byte)
{
  return byte < 128 ? byte : byte - 256;
}

// Pairs of how many bytes of code, and how many lines, to go on.
static int
lnotab(const unsigned char *table, size_t length, int line, int at)
{
  int address = 0;

  for (size_t i = 0; i + 1 < length; i += 2) {
    address += table[i];
    if (address > at)
      break;
    line = add(line, signed_byte(table[i + 1]));
  }
  return line;
}

// Pairs of the length of a piece of code, and what its line is more than that of the one before.
static int
linetable(const unsigned char *table, size_t length, int line, int at)
{
  int end = 0;

  for (size_t i = 0; i + 1 < length; i += 2) {
    int difference = signed_byte(table[i + 1]);
    if (difference != NO_LINE)
      line = add(line, difference);
    end += table[i];
    if (at < end)
      return difference == NO_LINE ? 0 : line;
  }
  return 0;
}

// Six bits a byte, the lowest first; bit 6 says that more follow. The lowest bit of all is the
// sign.
static int
read_signed(const unsigned char *table, size_t length, size_t i)
{
  unsigned int value = 0;

  for (unsigned int shift = 0; i < length && shift < 32; i++, shift += 6) {
    value |= (table[i] & 0x3fu) << shift;
    if (!(table[i] & 0x40))
      break;
  }
  return value & 1 ? (int)-(value >> 1) : (int)(value >> 1);
}

// An entry begins with a byte whose highest bit is set: four bits of what follows, and three of how
// many instructions it covers.
static int
locations(const unsigned char *table, size_t length, int line, int at)
{
  enum { FIRST_ONE_LINE = 10, LAST_ONE_LINE = 12, LONG = 14, NONE = 15 };
  int end = 0;

  for (size_t i = 0; i < length;) {
    int form = table[i] >> 3 & 15;
    end += ((table[i] & 7) + 1) * INSTRUCTION;
    i++;
    if (form >= FIRST_ONE_LINE && form <= LAST_ONE_LINE)
      line = add(line, form - FIRST_ONE_LINE);
    else if (form > LAST_ONE_LINE && form <= LONG)
      line = add(line, read_signed(table, length, i));
    if (at < end)
      return form == NONE ? 0 : line;
    while (i < length && !(table[i] & 0x80))
      i++;
  }
  return 0;
}

int
python_line(enum python_lines format, const unsigned char *table, size_t length, int first, int at)
{
  int line = first;

  if (at >= 0 && format == PYTHON_LNOTAB)
    line = lnotab(table, length, first, at);
  else if (at >= 0 && format == PYTHON_LINETABLE)
    line = linetable(table, length, first, at);
  else if (at >= 0)
    line = locations(table, length, first, at);
  return line > 0 ? line : 0;
}
