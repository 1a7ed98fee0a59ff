// What redirecting forks assumes about the insides of libc. Each assumption is tested against the
// running libc; where one fails no fork is redirected.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Bytes from the start of a thread's static variables to the end of its descriptor, as of
// libc_layout_check().
size_t libc_layout_thread_block(void);

// Bytes of a thread's descriptor, from its thread pointer upward, as of libc_layout_check().
size_t libc_layout_descriptor(void);

// Where the frames end on the stack of the thread with this thread pointer, or somewhat below: its
// variables follow. Not of the main thread.
uint64_t libc_layout_frames_end(uint64_t thread_pointer);

// NULL if all hold, else the one that does not, in words. Once, in a thread that runs as usual.
const char *libc_layout_check(void);

// The end of the part of the calling thread's stack that frames are in: above it stand, in threads
// other than the main one, the thread's variables and its descriptor, which libc and the kernel
// write at any time. 0 where it cannot be known. *bottom: its lowest address. The first call in a
// thread allocates.
uint64_t libc_layout_stack_top(uint64_t *bottom);

// Registers the restartable-sequence area of the calling thread, as libc has done for the thread
// that it is a copy of.
void libc_layout_register_rseq(void);
