// The interface of the system's libunwind, as far as the library uses it.
#pragma once

#include <stdint.h>

typedef struct {
  uint64_t data[21];
} unw_context_t;
typedef struct {
  uint64_t data[33];
} unw_cursor_t;
typedef uintptr_t unw_word_t;

enum { UNW_REG_IP = -1, UNW_REG_SP = -2 };

int unw_getcontext(unw_context_t *context);
int unw_init_local(unw_cursor_t *cursor, unw_context_t *context);
int unw_step(unw_cursor_t *cursor);
int unw_get_reg(unw_cursor_t *cursor, int number, unw_word_t *value);
