// The few calls that the shared files make of the kernel: no cancellation point, no lock of libc,
// errno unchanged. A negative result is -errno.
#pragma once

#include <stddef.h>
#include <stdint.h>

// As open(2), with mode 0644 for O_CREAT.
long kernel_open(const char *path, int flags);
long kernel_read(long fd, void *to, size_t length);
void kernel_close(long fd);

uint64_t kernel_clock(void);  // CLOCK_MONOTONIC, ns
void kernel_yield(void);      // the processor

// "ENOENT"; NULL for a number that is no error.
const char *kernel_error_name(int error);
