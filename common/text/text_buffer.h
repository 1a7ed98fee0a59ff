// A bounded text buffer that is written once. No allocation and no locks: the caller owns the
// memory. Text past the end is dropped and remembered in `truncated`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
  char *bytes;
  size_t length;
  size_t size;
  bool truncated;
};

void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The frequent cases, without a format.
void text_add_string(struct text *t, const char *string);
void text_add_hex(struct text *t, uint64_t number);                         // 0x...
void text_add_number(struct text *t, const char *before, uint64_t number);  // decimal

// A string of the program's, harmless on a terminal: control bytes and bytes that are not UTF-8
// become \xNN.
void text_add_escaped(struct text *t, const char *string);

// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void text_add_json(struct text *t, const char *string);
