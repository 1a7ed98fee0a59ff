// A word in memory that parent and child share.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { FUTEX_SPIN_NS = 300000 };

void futex_set(_Atomic int *word, int value);

// Yields the processor until the word is not 0, for at most `ns`; returns it.
int futex_spin(_Atomic int *word, uint64_t ns);

// Waits until the word is not 0, for at most `ns`, which is less than a second; returns it.
int futex_wait_shared(_Atomic int *word, long ns);
