// The fork handlers that other modules have registered.
#pragma once

#include <stdint.h>

// A module has registered fork handlers, of which this is one.
void foreign_handlers_add(void (*handler)(void));
int foreign_handlers_count(void);
// One handler of each registration, at most `most` of them; returns their number.
int foreign_handlers_list(uint64_t *handlers, int most);
