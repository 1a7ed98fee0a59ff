// What the rooms above do where a thread is made: hooks/startup.c has them.
#pragma once

#include <stdbool.h>

// In pthread_create(): first of all; once, before the first thread; before each.
void thread_start_before(void);
void thread_start_first(void);
void thread_start_each(void);
// In the new thread.
void thread_start_new(void);
// Whether it must not keep what pthread_create() had in its registers.
bool thread_start_clears_registers(void);
