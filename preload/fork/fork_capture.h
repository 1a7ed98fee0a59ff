// The fork instant: which threads live and where they are, taken in the last prepare handler; and
// the first steps of the child. Memory of our own only: no allocation, no locks of libc, no
// locks but one of ours that is waited for with a limit.
#pragma once

#include "registers.h"

#include <stdint.h>

// At the entry of a wrapper: lists the threads, if handlers of others may stop some.
void instant_begin(const char *entry);

void instant_prepare(void);
// In the parent of a borrowed child that becomes real, with the registers of the caller of fork():
// instead of what the handler does in the child, which finds call.taken.
void instant_capture(const struct registers *caller);
// After a redirected fork: what is to be told of it.
void instant_note(const struct registers *caller);
void instant_child(void);

// What the rooms above have to do in each such child, before what was captured is forgotten:
// hooks/fork_hooks.c has it.
void fork_child_hook(void);
