// The frame that called a function of ours, and the part of its stack that is in use.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CALLING_STACK = 256 * 1024 };

struct calling_frame {
  uint64_t sp;           // of the calling function, when it called
  uint64_t return_slot;  // where its own return address stands; 0: not known
  uint64_t stack_end;    // of what this thread has of its stack in use, below its thread block
  char module[64];       // file name of the calling code, "" if it is in no file
  char path[256];
  uint64_t offset;  // of the return address in it
};

// Fills module, path and offset for the code that this return address is in; false: it is in no
// file. No locks, no allocation.
bool calling_frame_name(struct calling_frame *frame, const void *return_address);

// Why it is not known, in words, or NULL. `slot`: where the calling function's return address
// stands, if that is known, else 0. `copy` gets the stack from sp up, at most CALLING_STACK bytes,
// *length of them. In the parent, before the fork: to find the slot it waits up to a second for
// another thread's unwinding. No allocation but mmap.
const char *calling_frame_find(struct calling_frame *frame, const void *return_address, uint64_t sp,
                               uint64_t slot, unsigned char *copy, size_t *length);
