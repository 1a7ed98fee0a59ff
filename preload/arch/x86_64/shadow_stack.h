// A shadow stack holds the return addresses a second time (Linux 6.6, CET): a function of which
// ours was changed would not return, and a child that goes on in its parent's stack would have
// none.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// How the kernel is asked: arch_prctl() with a command and the address of its answer, 0 or -errno.
typedef long arch_control(int command, uint64_t *answer);

// Whether it says that the calling thread has one. A kernel that does not know says that it has
// none.
bool shadow_stack_told(arch_control *ask);

// The same of this kernel, by a raw system call.
bool shadow_stack_on(void);
