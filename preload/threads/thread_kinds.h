// Kinds of threads: those made by the same call of pthread_create() to run the same routine. Which
// kinds are alive tells whether a fork copies threads that its place was not reported with.
#pragma once

#include <stdint.h>

// Those that found no number of their own, and threads that pthread_create() did not make.
#define THREAD_KIND_REST ((uint64_t)1 << 63)

// The number of the kind, one thread of which now lives. Lock-free, allocates nothing, as all here.
int thread_kind_enter(const void *routine, const void *caller);

void thread_kind_leave(int kind);

// The kinds that have live threads, as a set of bits.
uint64_t thread_kinds(void);

// In a fork child: the threads are gone, the kinds stay known. Writes nothing where there were
// none.
void thread_kinds_forget(void);
