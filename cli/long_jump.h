// Can a signal handler leave a wait by longjmp()?
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Whether a module of the process, apart from libc and our own library, calls longjmp() or
// siglongjmp(). True where a module cannot be read. Jumps that a compiler wrote are not seen.
bool calls_long_jump(pid_t pid);
