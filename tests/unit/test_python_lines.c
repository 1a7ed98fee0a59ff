#include "common/cpython/line_table.h"

#include <criterion/criterion.h>
#include <limits.h>

// The tables of one function as CPython 3.9, 3.10 and 3.12 write them, and what co_lines() or
// dis.findlinestarts() there say of them. The function begins at line 301 with a list over two
// lines; its statements go back and forth, and the last instructions belong to no line.
static const unsigned char lnotab[] = {0, 1, 2,   1, 2,   255, 4, 3, 8, 2,  2,
                                       1, 6, 255, 2, 255, 4,   4, 2, 1, 10, 2};
static const unsigned char linetable[] = {2, 1, 2,   1, 4,   255, 8, 3,  2, 2,  6,
                                          1, 2, 255, 4, 255, 2,   4, 10, 1, 20, 2};
static const unsigned char locations[] = {
    128, 0,   216, 9,   10,  216, 9,   10,  240, 3,   1,   9,   12,  128, 65,  240, 6,   0,  14,
    15,  242, 0,   4,   5,   10,  136, 1,   224, 12,  13,  220, 12,  13,  136, 97,  139, 68, 241,
    3,   1,   13,  17,  241, 3,   0,   9,   10,  240, 3,   4,   5,   10,  240, 10,  3,   5,  17,
    220, 8,   9,   136, 33,  140, 4,   224, 15,  16,  136, 8,   248, 136, 113, 140, 8,   250};

struct range {
  int begin, end, line;
};

static void
check(enum python_lines format, const unsigned char *table, size_t length,
      const struct range *ranges, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    for (int at = ranges[i].begin; at < ranges[i].end; at++) {
      int line = python_line(format, table, length, 301, at);
      cr_assert_eq(line, ranges[i].line, "byte %d is in line %d, not %d", at, ranges[i].line, line);
    }
  }
}

#define CHECK(format, table, ...)                                                                  \
  do {                                                                                             \
    static const struct range ranges[] = {__VA_ARGS__};                                            \
    check(format, table, sizeof table, ranges, sizeof ranges / sizeof ranges[0]);                  \
  } while (0)

Test(python_lines, lnotab)
{
  CHECK(PYTHON_LNOTAB, lnotab, {0, 2, 302}, {2, 4, 303}, {4, 8, 302}, {8, 16, 305}, {16, 18, 307},
        {18, 24, 308}, {24, 26, 307}, {26, 30, 306}, {30, 32, 310}, {32, 42, 311}, {42, 68, 313});
}

Test(python_lines, linetable)
{
  CHECK(PYTHON_LINETABLE, linetable, {0, 2, 302}, {2, 4, 303}, {4, 8, 302}, {8, 16, 305},
        {16, 18, 307}, {18, 24, 308}, {24, 26, 307}, {26, 30, 306}, {30, 32, 310}, {32, 42, 311},
        {42, 62, 313}, {62, 70, 0});
}

Test(python_lines, locations)
{
  CHECK(PYTHON_LOCATIONS, locations, {0, 2, 301}, {2, 4, 302}, {4, 6, 303}, {6, 10, 302},
        {10, 20, 305}, {20, 22, 307}, {22, 42, 308}, {42, 46, 307}, {46, 50, 306}, {50, 52, 305},
        {52, 54, 310}, {54, 76, 311}, {76, 80, 313}, {80, 82, 0}, {82, 94, 313}, {94, 110, 0});
}

Test(python_lines, pieces_without_a_line_keep_the_count)
{
  static const unsigned char table[] = {2, 3, 4, 128, 2, 255};

  CHECK(PYTHON_LINETABLE, table, {0, 2, 304}, {2, 6, 0}, {6, 8, 303});
}

// Form 14 with a difference of 100,000 lines, and then one of -100,000: six bits a byte.
Test(python_lines, long_differences)
{
  static const unsigned char table[] = {
      0x80 | 14 << 3, 0x40, 0x75, 0x30,           0, 0, 0, 0x80 | 13 << 3,
      0x41,           0x75, 0x30, 0x80 | 11 << 3, 1, 2};

  CHECK(PYTHON_LOCATIONS, table, {0, 2, 100301}, {2, 4, 301}, {4, 6, 302});
}

Test(python_lines, code_that_has_not_begun_is_at_its_first_line)
{
  cr_assert_eq(python_line(PYTHON_LNOTAB, lnotab, sizeof lnotab, 301, -1), 301);
  cr_assert_eq(python_line(PYTHON_LINETABLE, linetable, sizeof linetable, 301, -1), 301);
  cr_assert_eq(python_line(PYTHON_LOCATIONS, locations, sizeof locations, 301, -2), 301);
}

// Any bytes end, in no more steps than there are bytes, without a fault.
Test(python_lines, broken_tables)
{
  unsigned char table[64];
  unsigned int seed = 1;

  for (int round = 0; round < 20000; round++) {
    size_t length = (size_t)round % (sizeof table + 1);
    for (size_t i = 0; i < length; i++)
      table[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
    for (int format = PYTHON_LNOTAB; format <= PYTHON_LOCATIONS; format++) {
      cr_assert_geq(python_line((enum python_lines)format, table, length, INT_MAX, round), 0);
      cr_assert_geq(python_line((enum python_lines)format, table, length, -5, INT_MAX), 0);
    }
  }
}
