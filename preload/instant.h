// The fork instant: which threads live and where they are, taken in the last prepare handler; and
// the first steps of the child. Memory of our own only: no allocation, no locks of libc, no
// locks but one of ours that is waited for with a limit.
#pragma once

#include <stdint.h>

// At the entry of a wrapper: lists the threads, if handlers of others may stop some.
void instant_begin(const char *entry);

// A module has registered fork handlers, of which this is one.
void instant_foreign_handlers(void (*handler)(void));
// One handler of each registration, at most `most` of them.
int instant_handlers(uint64_t *handlers, int most);

void instant_prepare(void);
void instant_child(void);
