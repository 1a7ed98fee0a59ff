// What the files of libsystem.h share. Functions that differ from glibc's have its name and an
// underscore at the end.
#pragma once

#include "libsystem.h"

#include <stddef.h>
#include <stdint.h>

// A symbol with its underscore, and what it is bound to. A NULL ends a table.
struct libsystem_entry {
  const char *symbol;
  void *address;
};
#define ENTRY(symbol, function)                                                                    \
  {                                                                                                \
    symbol, (void *)(uintptr_t)(function)                                                          \
  }

extern const struct libsystem_entry libsystem_files[], libsystem_signals[], libsystem_images[],
    libsystem_threads[], libsystem_processes[];

extern const char *libsystem_program;  // the path of the executable

// errno of macOS, of the calling thread; a result of glibc, after errno was translated if it is
// negative; and an error number.
extern __thread int libsystem_errno;
long libsystem_result(long n);
int libsystem_error(int error);

// What may wait for a lock of libc must not be called while threads are suspended.
void libsystem_expect_all_run(const char *function);

// Makes the images of the system libraries; returns pause().
void *libsystem_start_threads(void);
